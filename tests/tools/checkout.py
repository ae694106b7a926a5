"""A checkout with the Makefile and the set-up script, where stubs stand in for Python, pip and uv."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The system's Python: runs the set-up script in the real one, after PRELUDE; `-m venv` makes VENV_PYTHON.
SYSTEM_PYTHON = """#!/bin/sh
stubs="$(dirname "$0")"
case "$*" in
*"-m venv"*) exec "$stubs/make-venv" ;;
*)
  STUB="$0" exec '{real}' -c '
import os, runpy, shutil, sys
sys.executable, sys.argv = os.environ["STUB"], sys.argv[2:]
{prelude}
runpy.run_path(sys.argv[0], run_name="__main__")' "$@" ;;
esac
"""
MAKE_VENV = """#!/bin/sh
echo venv >> '{folder}/calls'
mkdir -p .venv/bin && touch .venv/pyvenv.cfg && cp '{folder}/venv-python' .venv/bin/python
"""
# The Python of .venv. The file `installer-does`, if it exists, is what pip does.
VENV_PYTHON = """#!/bin/sh
case "$*" in
*"-m pip install"*)
  echo "pip $*" >> '{folder}/calls'
  if [ -f '{folder}/installer-does' ]; then . '{folder}/installer-does'; fi ;;
*"-m hpo"*) echo "ran: $*"; env | grep -E "^(PYTHON|MPL|MAT)" ;;
esac
"""
UV = """#!/bin/sh
case "$*" in
"venv "*) exec '{folder}/make-venv' ;;
"pip install --python .venv/bin/python "*)
  echo "uv $*" >> '{folder}/calls'
  if [ -f '{folder}/installer-does' ]; then . '{folder}/installer-does'; fi ;;
esac
"""


class Checkout:
    """A folder with a space in its name that holds the files under test. It has no uv until `add_uv`."""

    def __init__(self, folder: Path) -> None:
        self.stubs = folder / "stubs"
        self.stubs.mkdir()
        self.root = folder / "my checkout"
        for name in ("Makefile", "scripts/setup_venv.py"):
            self.copy(name)
        self.write("requirements.txt", "-c requirements-cuda.txt\ntorch==2.13.0\n")
        self.write("requirements-cuda.txt", "triton==3.7.1\n")
        self.write("requirements-dev.txt", "-r requirements.txt\npytest==9.2.0\n")
        self.python = self.stubs / "python3"
        self.uv = ""
        self.stub_system_python()
        for name, text in (("make-venv", MAKE_VENV), ("venv-python", VENV_PYTHON)):
            write_script(self.stubs / name, text.format(folder=self.stubs))

    def stub_system_python(self, prelude: str = "") -> None:
        """Let the prelude, which has no single quotes, run before the set-up script."""
        find_uv = f'which = shutil.which; shutil.which = lambda name: "{self.uv}" if name == "uv" else which(name)'
        write_script(self.python, SYSTEM_PYTHON.format(real=sys.executable, prelude=f"{find_uv}\n{prelude}"))

    def add_uv(self) -> None:
        """Put a stub of uv on the PATH that the set-up script sees."""
        self.uv = str(self.stubs / "uv")
        write_script(self.stubs / "uv", UV.format(folder=self.stubs))
        self.stub_system_python()

    def copy(self, name: str) -> None:
        """Copy a file of the project to the same path."""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, self.root / name)

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def installer_does(self, shell: str) -> None:
        """Let the stubs of pip and uv run these lines of shell."""
        (self.stubs / "installer-does").write_text(shell)

    def command(self, *arguments: str) -> list[str]:
        return ["make", f"PYTHON={self.python}", *arguments]

    def make(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run(self.command(*arguments), self.root, **variables)

    @contextmanager
    def start(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run make in a process group of its own, its errors in a pipe; kill what is left of it at the end."""
        with subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=environment(),
            process_group=0,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def calls(self) -> list[str]:
        """Return the calls of the stubs since the last `calls`: "venv", or the requirements file to install."""
        log = self.stubs / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.split()[-1] for line in lines]


def write_script(path: Path, text: str) -> None:
    """Write an executable file."""
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the folder, with these variables added to the environment."""
    env = environment() | variables
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)


def environment() -> dict[str, str]:
    """Return this process's environment without the variables of an outer `make`, pytest or CI run.

    Also without PIP_EXTRA_INDEX_URL, which the README recommends for the set-up.
    """
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PYTEST_ADDOPTS", "PYTHON")
    dropped = (*outer, "PIP_EXTRA_INDEX_URL")
    return {name: value for name, value in os.environ.items() if name not in dropped}
