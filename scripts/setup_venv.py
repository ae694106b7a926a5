"""Install a requirements file into .venv, with uv if it is on PATH, else with pip.

`make` runs `python3 -I scripts/setup_venv.py requirements.txt` before anything is installed: this uses only the
standard library, and an old Python 3 can parse it and print the version that is needed.
"""

import fcntl
import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile

VENV, PYTHON = ".venv", ".venv/bin/python"
RECORD = ".venv/setup-record"  # The path of .venv and the checksums of the installed files; empty during a set-up.
UV = shutil.which("uv") or ""
CPU_BUILD = "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make tune"
NEWER_PYTHON = "make PYTHON=/path/to/python3.12 tune"
# Fails where a system upgrade from 3.11 to 3.12 has cut .venv off from its packages.
PROBE = """import sys
sees_packages = any(path.startswith(sys.prefix + "/") for path in sys.path)
sys.exit(sys.prefix == sys.base_prefix or not sees_packages or sys.version_info < (3, 11))"""
# Errors of pip and uv.
NO_SPACE = "No space left on device|Disk quota exceeded"
NO_CONNECTION = "(Connection|Resolution|Timeout|Proxy|SSL|Protocol|Reset)Error|error sending request|network timeout"
NO_BUILD = "No matching distribution|No solution found"
say = functools.partial(print, file=sys.stderr, flush=True)


class SetupError(Exception):
    """A problem that the user can fix; the message names the remedy."""


def set_up(requirements: str) -> None:
    """Install the requirements file unless .venv holds its content. Raises: SetupError: the user has to act first."""
    record = read_record()
    if record is None:
        check_before_building()
    elif checksums(requirements) <= record:
        return
    with open(__file__, "a") as lock:  # A file that is always there; nothing is written to it.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another call is setting up .venv: waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            pass  # Some network file systems have no locks.
        record = read_record()
        if record is None or not checksums(requirements) <= record:
            install(requirements, record is not None, lock.fileno())


def checksums(requirements: str) -> "set[str]":
    """Return the SHA-256 of the file and of each file that it includes, and the path of .venv."""
    with open(requirements) as file:
        text = file.read()
    included = re.findall(r"^-[rc] (\S+)", text, re.MULTILINE)
    return {os.path.realpath(VENV), hashlib.sha256(text.encode()).hexdigest()}.union(*map(checksums, included))


def read_record() -> "set[str] | None":
    """Return the record of the last set-up, an empty one if .venv was made by hand, None if .venv has to be built."""
    if not os.path.exists(PYTHON) or subprocess.call([PYTHON, "-I", "-c", PROBE], stderr=subprocess.DEVNULL) != 0:
        return None
    if not os.path.exists(RECORD):
        return set()
    with open(RECORD) as file:
        record = set(file.read().splitlines())
    return record if os.path.realpath(VENV) in record else None


def check_before_building() -> None:
    """Raise SetupError if .venv cannot be built. Nothing has been written yet."""
    names = os.listdir(VENV) if os.path.isdir(VENV) else [VENV] if os.path.lexists(VENV) else []
    if names and not {"pyvenv.cfg", os.path.basename(RECORD)} & set(names):
        raise SetupError(f"{os.path.abspath(VENV)} is not a virtual environment: move it out of the way")
    if sys.version_info < (3, 11):
        raise SetupError(
            f"Python 3.11 or newer is needed, but got {sys.version.split()[0]} ({sys.executable}): "
            f"install a newer one, or name yours: {NEWER_PYTHON}"
        )
    if not UV and not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise SetupError(
            f"{sys.executable} has no `venv` module with `ensurepip`. On Debian and Ubuntu: sudo apt install "
            "python3-venv (for a Python that is not the system's own: python3.12-venv, for example)"
        )
    if not os.path.exists(VENV) and shutil.disk_usage(".").free < 1e9:
        raise SetupError(disk_full())


def install(requirements: str, is_usable: bool, lock: int) -> None:
    """Install the requirements file and record it; build .venv first if it is not usable."""
    os.makedirs(VENV, exist_ok=True)
    open(RECORD, "w").close()
    if is_usable:
        say(f"Updating {os.path.abspath(VENV)}: it does not hold the present content of {requirements}.")
    else:
        build_venv(lock)
    if not UV and subprocess.call([PYTHON, "-I", "-c", "import pip"], stderr=subprocess.DEVNULL) != 0:
        run([PYTHON, "-I", "-m", "ensurepip"], lock)
    with_pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements]
    run([UV, "pip", "install", "--python", PYTHON, "-r", requirements] if UV else with_pip, lock)
    with open(RECORD, "w") as file:
        file.write("\n".join(checksums(requirements)))


def build_venv(lock: int) -> None:
    """Build .venv without packages, in place of an older one."""
    remains = [entry for entry in os.scandir(VENV) if entry.path != RECORD]
    if remains:
        say(f"{os.path.abspath(VENV)} is unfinished, was moved, or its Python does not work: rebuilding it.")
    for entry in remains:
        (shutil.rmtree if entry.is_dir(follow_symlinks=False) else os.remove)(entry.path)
    say(f"Setting up {os.path.abspath(VENV)}. This happens once and takes some minutes, most of them for PyTorch.")
    if sys.platform == "linux" and "PIP_EXTRA_INDEX_URL" not in os.environ and not shutil.which("nvidia-smi"):
        say(f"No NVIDIA GPU was found. To save time and 6 GB of disk: Ctrl-C, then {CPU_BUILD}")
    with_uv = [UV, "venv", "--quiet", "--allow-existing", "--python", sys.executable, VENV]
    run(with_uv if UV else [sys.executable, "-I", "-m", "venv", VENV], lock)


def run(command: "list[str]", lock: int) -> None:
    """Run a command, which keeps the lock even if this process is killed. Raises: SetupError: it has failed."""
    environment = dict(os.environ, PIP_USER="0", UV_INDEX_STRATEGY="unsafe-best-match")
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS"):  # uv does not read pip's variables.
        environment.setdefault("UV_" + name, os.environ.get("PIP_" + name, ""))
    errors = ""
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, pass_fds=[lock]) as process:
        for line in process.stderr or ():
            errors += line.decode(errors="replace")
            say(line.decode(errors="replace").rstrip())
    if process.returncode == 0:
        return
    if re.search(NO_SPACE, errors) or shutil.disk_usage(VENV).free < 1e7:
        raise SetupError(disk_full())
    if process.returncode < 0:
        raise SetupError(f"{command[0]} was killed (signal {-process.returncode}): run the same command again")
    os.remove(RECORD)  # A failed installation leaves .venv as usable as before.
    if re.search(NO_CONNECTION, errors):
        raise SetupError(
            "no connection to the package index: connect to the internet (behind a proxy: set HTTPS_PROXY), "
            "then run the same command again; what was downloaded is kept"
        )
    if re.search(NO_BUILD, errors):
        platform = " ".join(os.uname()[::4])
        raise SetupError(
            f"no build of a package in {command[-1]} (named above) for this Python on {platform}: "
            f"delete .venv, then try another Python: {NEWER_PYTHON}"
        )
    raise SetupError(f"`{' '.join(command)}` failed; its reason is above")


def disk_full() -> str:
    """Return the message that names the free space, the space needed and the remedies."""
    free_gb, temporary_gb = (shutil.disk_usage(folder).free / 1e9 for folder in (".", tempfile.gettempdir()))
    return (
        f"the disk is full: {free_gb:.1f} GB free in {os.getcwd()}, and {temporary_gb:.1f} GB for temporary files in "
        f"{tempfile.gettempdir()} (TMPDIR=... names another folder). Needed: about 2 GB with the CPU build of PyTorch, "
        "about 8 GB with the CUDA build, the default on Linux. Free some space and run the same command again, or "
        f"take the CPU build: {CPU_BUILD}"
    )


if __name__ == "__main__":
    try:
        set_up(sys.argv[1])
    except KeyboardInterrupt:
        say("Set-up: interrupted; the same command starts it again.")
        sys.exit(130)
    except (SetupError, OSError) as error:
        say(f"Set-up: {disk_full() if 'No space left' in str(error) else error}")
        sys.exit(2)
