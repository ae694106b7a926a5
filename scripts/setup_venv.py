"""Makes .venv hold what a requirements file lists; run by the system's Python, before anything is installed.

Usage: python3 -I hpo/setup_venv.py requirements.txt     (in the checkout's root; `make` does)

Only the standard library, and only syntax that Python 3.6 reads: an old Python must get as far as the
message that names the one it takes.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from typing import IO, Dict, Iterator, List, Tuple

VENV = ".venv"
PYTHON = os.path.join(VENV, "bin", "python")
# Lies in .venv from before the first change until after the last, and is locked meanwhile.
UNFINISHED = os.path.join(VENV, "setup-unfinished")
# What the last finished set-up installed: checksums by file name, and the folder it was in.
INSTALLED = os.path.join(VENV, "setup-installed.json")
CPU_BUILD = "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make tune"
LEAST_FREE_GB = 1.0  # With less than this, not even the smallest build has a chance.
# Succeeds in a virtual environment that sees its own packages; a system upgrade from 3.11 to 3.12 hides them.
PROBE = """
import sys
sees_own = any(path.startswith(sys.prefix + "/") for path in sys.path)
sys.exit(not (sees_own and sys.prefix != sys.base_prefix and sys.version_info >= (3, 11)))
"""
NO_SPACE = ("No space left on device", "Disk quota exceeded")
NO_NETWORK = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ReadTimeoutError", "ProxyError",
              "SSLError", "ProtocolError", "ConnectionResetError")  # fmt: skip


class SetupError(Exception):
    """Something the user can mend; the text says how."""


def set_up(requirements: str) -> None:
    """Returns when .venv holds what the requirements file says; installs where it does not.

    Raises: SetupError: where the user has to act first.
    """
    while not is_ready(requirements):
        check_before_writing()
        is_sound_so_far = is_sound()
        with unfinished_lock() as (is_ours, was_interrupted):
            if is_ours:
                install(requirements, is_sound_so_far and not was_interrupted)


def is_ready(requirements: str) -> bool:
    """Whether .venv can be used as it is, and holds what the file and those it includes say now."""
    if not is_sound():
        return False
    record = installed()
    return all(record.get(name) == checksum(name) for name in with_included(requirements))


def is_sound() -> bool:
    """Whether .venv was finished, has not moved, and its Python starts, suits and sees its packages."""
    if os.path.exists(UNFINISHED) or not os.path.exists(PYTHON):
        return False
    here = os.path.realpath(VENV)  # In a folder that has moved, its programs would start the old folder's Python.
    runs = subprocess.call([PYTHON, "-I", "-c", PROBE], stderr=subprocess.DEVNULL) == 0
    return runs and installed().get("folder", here) == here


def installed() -> Dict[str, str]:
    """The record of the last finished set-up; empty where there is none."""
    try:
        with open(INSTALLED, encoding="utf-8") as file:
            return dict(json.load(file))
    except (FileNotFoundError, ValueError):
        return {}


def with_included(requirements: str) -> List[str]:
    """The requirements file, and those it names in lines `-r FILE`."""
    with open(requirements, encoding="utf-8") as file:
        included = [line.split()[1] for line in file if line.startswith("-r ")]
    return [requirements] + [name for each in included for name in with_included(each)]


def checksum(name: str) -> str:
    """SHA-256 of the file's content; its date does not matter."""
    with open(name, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check_before_writing() -> None:
    """Raises: SetupError: where a new .venv is needed and cannot be made. Nothing has been written yet."""
    if os.path.lexists(VENV) and not is_virtual_environment():
        raise SetupError(f"{os.path.abspath(VENV)} is not a virtual environment: move it out of the way")
    if is_sound():
        return
    if sys.version_info < (3, 11):
        raise SetupError(
            f"Python 3.11 or newer is needed, but got {platform.python_version()} ({sys.executable}): "
            "install a newer one, or name yours: make PYTHON=/path/to/python3.12 tune"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise SetupError(
            f"{sys.executable} has no `venv` module with `ensurepip`. On Debian and Ubuntu: sudo apt install "
            "python3-venv (beside a Python that is not the system's own: python3.12-venv, say)"
        ) from None
    if not os.path.exists(VENV) and free_gb(".") < LEAST_FREE_GB:
        raise SetupError(disk_full_message())


def is_virtual_environment() -> bool:
    """Whether .venv is one, or the beginning of one."""
    signs = (UNFINISHED, os.path.join(VENV, "pyvenv.cfg"))
    return os.path.isdir(VENV) and (any(map(os.path.exists, signs)) or not os.listdir(VENV))


@contextlib.contextmanager
def unfinished_lock() -> Iterator[Tuple[bool, bool]]:
    """Marks .venv as unfinished and waits while another call sets it up.

    Gives (is_ours, was_interrupted). Not ours: another call has finished meanwhile, look again.
    """
    os.makedirs(VENV, exist_ok=True)
    with open(UNFINISHED, "a+b") as mark:
        wait_for_lock(mark)
        is_ours = os.fstat(mark.fileno()).st_nlink > 0
        was_interrupted = mark.seek(0, os.SEEK_END) > 0
        if is_ours:
            mark.write(b"Here while .venv is being set up. If nothing runs, the next `make` builds it anew.\n")
            mark.flush()
        yield is_ours, was_interrupted


def wait_for_lock(mark: "IO[bytes]") -> None:
    """Locks the open file; where the file system has no locks, goes on without."""
    os.set_inheritable(mark.fileno(), True)  # Should this process be killed, pip still holds the lock.
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another call is setting up .venv: waiting for it.")
        fcntl.flock(mark, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
            raise


def install(requirements: str, is_sound_so_far: bool) -> None:
    """Makes or updates .venv and records what it holds. The caller holds the lock."""
    if is_sound_so_far:
        say(f"Updating {os.path.abspath(VENV)}: {requirements} is not what it holds.")
    else:
        build_anew()
    record = installed()
    with contextlib.suppress(FileNotFoundError):
        os.remove(INSTALLED)
    pip_install(requirements)
    record.update({name: checksum(name) for name in with_included(requirements)}, folder=os.path.realpath(VENV))
    with open(INSTALLED, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
    os.remove(UNFINISHED)


def build_anew() -> None:
    """Makes an empty .venv, in place of what there may be of one."""
    remains = [os.path.join(VENV, name) for name in os.listdir(VENV) if os.path.join(VENV, name) != UNFINISHED]
    if remains:
        say(f"{os.path.abspath(VENV)} was left unfinished, was moved, or its Python is gone: building it anew.")
    for path in remains:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.remove(path)
    say(f"Setting up {os.path.abspath(VENV)}. This happens once and takes some minutes, most of them for PyTorch.")
    if sys.platform == "linux" and "PIP_EXTRA_INDEX_URL" not in os.environ and not shutil.which("nvidia-smi"):
        say(f"No NVIDIA GPU seen. To save time and 6 GB of disk: Ctrl-C, then {CPU_BUILD}")
    code, errors = run_showing([sys.executable, "-I", "-m", "venv", VENV])
    if code != 0:
        raise SetupError(disk_full_message() if is_disk_full(errors) else f"{sys.executable} could not make {VENV}")


def pip_install(requirements: str) -> None:
    """Installs with pip, its progress and messages shown.

    Raises: SetupError: naming the likely cause and the remedy.
    """
    if subprocess.call([PYTHON, "-I", "-c", "import pip"], stderr=subprocess.DEVNULL) != 0:
        run_showing([PYTHON, "-I", "-m", "ensurepip"])
    code, errors = run_showing([PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements])
    if code == 0:
        return
    if is_disk_full(errors):
        raise SetupError(disk_full_message())
    if code < 0:
        raise SetupError(f"pip was killed (signal {-code}): run the same command again")
    os.remove(UNFINISHED)  # pip has undone what it began: .venv is as sound as before.
    raise SetupError(reason_of_pip(requirements, errors))


def reason_of_pip(requirements: str, errors: str) -> str:
    """Why pip gave up, as far as its messages tell, and the remedy."""
    if any(sign in errors for sign in NO_NETWORK):
        return (
            "no connection to the package index: connect to the internet (behind a proxy: set HTTPS_PROXY), "
            "then run the same command again; what was downloaded is kept"
        )
    if "No matching distribution" in errors:
        return (
            f"no build of a package in {requirements} (named above) for this Python on {platform.system()} "
            f"{platform.machine()}: delete .venv, then try another Python: make PYTHON=/path/to/python3.12 tune"
        )
    return f"pip could not install {requirements}; its reason is above"


def run_showing(command: "List[str]") -> "Tuple[int, str]":
    """Runs the command in view of the user; its exit code, and what it wrote to stderr."""
    shown = []
    environment = dict(os.environ, PIP_USER="0")  # `pip config set install.user true` fails in a .venv.
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, close_fds=False) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                shown.append(line.decode(errors="replace"))
                say(shown[-1].rstrip("\n"))
        except KeyboardInterrupt:
            process.communicate()  # Ctrl-C reached it too: let it clean up.
            raise
    return process.returncode, "".join(shown)


def is_disk_full(errors: str) -> bool:
    """Whether a command's messages, or the disk itself, say so."""
    return any(sign in errors for sign in NO_SPACE) or free_gb(VENV) < 0.01


def free_gb(folder: str) -> float:
    """What is free on the folder's disk, in GB."""
    return shutil.disk_usage(folder).free / 1e9


def disk_full_message() -> str:
    """What is free, what is needed, and what to do."""
    temporary = tempfile.gettempdir()
    return (
        f"the disk is full: {free_gb('.'):.1f} GB free in {os.getcwd()}, and {free_gb(temporary):.1f} GB for temporary "
        f"files in {temporary} (TMPDIR=... names another folder). Needed: about 2 GB with the CPU build of PyTorch, "
        "about 8 GB with the CUDA build, the default on Linux. Free some space and run the same command again, or "
        f"take the CPU build: {CPU_BUILD}"
    )


def say(text: str) -> None:
    """One line to the user, in order with what pip prints."""
    print(text, file=sys.stderr, flush=True)


def main(requirements: str) -> int:
    """Exit code: 0 ready; 2 the user can mend it; 130 interrupted."""
    try:
        set_up(requirements)
        return 0
    except SetupError as error:
        say(f"Set-up: {error}")
    except OSError as error:
        say(f"Set-up: {disk_full_message() if error.errno == errno.ENOSPC else error}")
    except KeyboardInterrupt:
        say("Set-up: interrupted; the same command does it again.")
        return 130
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
