"""The Makefile, the set-up of .venv and .ci/run, each in a checkout of its own, with stubs for what takes minutes."""

import ast
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Stands for the system's Python: runs the set-up script in this one, after PRELUDE; `-m venv` makes VENV_PYTHON.
SYSTEM_PYTHON = """#!/bin/sh
here="$(dirname "$0")"
case "$*" in
*"-m venv"*)
  echo venv >> "$here/calls"
  mkdir -p .venv/bin && touch .venv/pyvenv.cfg && cp "$here/venv-python" .venv/bin/python ;;
*)
  STUB="$0" exec '{real}' -c '
import os, runpy, sys
sys.executable, sys.argv = os.environ["STUB"], sys.argv[2:]
{prelude}
runpy.run_path(sys.argv[0], run_name="__main__")' "$@" ;;
esac
"""

# Stands for .venv's Python. Reads what pip should do from the file `pip-does`, if there is one.
VENV_PYTHON = """#!/bin/sh
here='{folder}'
case "$*" in
*"-m pip install"*)
  echo "pip $*" >> "$here/calls"
  if [ -f "$here/pip-does" ]; then . "$here/pip-does"; fi ;;
*"-m hpo"*) echo "ran: $*" ;;
esac
"""


class Checkout:
    """A folder with a space in its name, holding the files under test, and a stub in place of Python."""

    def __init__(self, folder: Path) -> None:
        self.stubs = folder / "stubs"
        self.stubs.mkdir()
        self.root = folder / "my checkout"
        (self.root / "hpo").mkdir(parents=True)
        for name in ("Makefile", "hpo/setup_venv.py"):
            shutil.copy(ROOT / name, self.root / name)
        self.write("requirements.txt", "torch==2.13.0\n")
        self.write("requirements-dev.txt", "-r requirements.txt\npytest==9.2.0\n")
        self.python = self.stubs / "python3"
        self.stub_system_python()
        script(self.stubs / "venv-python", VENV_PYTHON.format(folder=self.stubs))

    def stub_system_python(self, prelude: str = "") -> None:
        """The prelude, without single quotes, runs before the set-up script."""
        script(self.python, SYSTEM_PYTHON.format(real=sys.executable, prelude=prelude))

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def pip_does(self, shell: str) -> None:
        (self.stubs / "pip-does").write_text(shell)

    def command(self, *arguments: str) -> list[str]:
        return ["make", f"PYTHON={self.python}", *arguments]

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(self.command(*arguments), self.root)

    def calls(self) -> list[str]:
        """What the stubs were asked for since the last look: "venv", or the requirements file pip was given."""
        log = self.stubs / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.split()[-1] for line in lines]


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def run(command: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=60)


def environment(**more: str) -> dict[str, str]:
    """This process's, without what an outer `make`, pytest or CI run has put there."""
    dropped = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PYTEST_ADDOPTS", "PYTHON")
    return {name: value for name, value in os.environ.items() if name not in dropped} | more


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


# The Makefile


def test_make_alone_prints_the_help(checkout: Checkout) -> None:
    assert checkout.make().stdout == checkout.make("help").stdout
    assert "make best-retrain" in checkout.make().stdout


def test_help_lists_every_target_and_every_variable_in_one_column(checkout: Checkout) -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:"))
    targets = [f"make {name}" for name in phony.split()[1:] if not name.startswith(".")]
    variables = [f"{name}={value}" for name, value in re.findall(r"^([A-Z_]+) *= ?(.*)$", makefile, re.MULTILINE)]
    assert len(targets) >= 7
    assert len(variables) >= 10
    entries = re.findall(r"^  (\S.*?)  +(?=\S)", re.sub(r"=  (?=[A-Z_]+=)", "= ", checkout.make("help").stdout), re.M)
    listed = {word for entry in entries for word in ([entry] if entry.startswith("make") else entry.split())}
    assert listed == set(targets + variables)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["tune"], "tune 'cifar10'"),
        (["tune", "STUDY=quick", "TRIALS=7", "TIMEOUT=30"], "tune 'quick' --trials '7' --timeout '30'"),
        (["tune", "DEVICE=cpu", "FRESH=1"], "tune 'cifar10' --device 'cpu' --fresh"),
        (["tune", "FRESH=0"], "tune 'cifar10'"),
        (["tune", "STUDY=my studies/a.yaml"], "tune 'my studies/a.yaml'"),
        (["best-retrain"], "retrain 'cifar10'"),
        (
            ["best-retrain", "STUDY=quick", "TRIAL=3", "EPOCHS=50", "DEVICE=cuda"],
            "retrain 'quick' --trial '3' --epochs '50' --device 'cuda'",
        ),
        (["dashboard"], "dashboard 'cifar10'"),
        (["report", "STUDY=quick"], "report 'quick'"),
        (["dashboard", "HOST=0.0.0.0", "PORT=8081"], "dashboard 'cifar10' --host '0.0.0.0' --port '8081'"),
    ],
)
def test_variables_are_passed_to_the_command_line(checkout: Checkout, arguments: list[str], command: str) -> None:
    done = checkout.make("-n", *arguments)
    assert done.returncode == 0, done.stderr
    printed = " ".join(done.stdout.replace("\\\n", " ").split())
    assert printed.endswith(f".venv/bin/python -m hpo {command}")


def test_variables_of_the_environment_do_not_leak_in(checkout: Checkout) -> None:
    done = run(checkout.command("-n", "dashboard"), checkout.root, HOST="my-laptop", PORT="1")
    assert "my-laptop" not in done.stdout
    assert "--port" not in done.stdout


def test_make_test_leaves_out_the_long_suites_and_test_all_nothing(checkout: Checkout) -> None:
    assert checkout.make("-n", "test").stdout.endswith("--dist loadfile -m 'not faults and not browser'\n")
    assert checkout.make("-n", "test-all").stdout.endswith("--dist loadfile\n")


def test_check_runs_ruff_then_strict_mypy_then_the_tests(checkout: Checkout) -> None:
    printed = checkout.make("-n", "check").stdout
    steps = ["ruff check .", "ruff format --check .", "mypy --strict hpo", "--dist loadfile -m 'not faults"]
    assert [printed.index(step) for step in steps] == sorted(printed.index(step) for step in steps)


def test_a_failing_command_fails_make(checkout: Checkout) -> None:
    checkout.make("tune")
    script(checkout.root / ".venv/bin/python", "#!/bin/sh\ncase \"$*\" in *'-m hpo'*) exit 2;; esac\n")
    done = checkout.make("tune")
    assert done.returncode == 2
    assert "Error 2" in done.stderr


# The set-up of .venv


def test_first_call_sets_up_and_then_runs(checkout: Checkout) -> None:
    done = checkout.make("tune", "STUDY=quick")
    assert done.returncode == 0, done.stderr
    assert checkout.calls() == ["venv", "requirements.txt"]
    assert f"Setting up {checkout.root}/.venv. This happens once" in done.stderr
    assert "ran: -m hpo tune quick" in done.stdout


def test_unchanged_requirements_are_not_installed_again(checkout: Checkout) -> None:
    checkout.make("tune")
    checkout.calls()
    for name in ("requirements.txt", "requirements-dev.txt"):
        os.utime(checkout.root / name, (time.time() + 100, time.time() + 100))
    done = checkout.make("tune")
    assert checkout.calls() == []
    assert done.stderr == ""


def test_changed_requirements_are_installed_into_the_same_venv(checkout: Checkout) -> None:
    checkout.make("tune")
    checkout.write("requirements.txt", "torch==2.14.0\n")
    checkout.calls()
    checkout.make("tune")
    assert checkout.calls() == ["requirements.txt"]


def test_what_tests_need_includes_what_tune_needs(checkout: Checkout) -> None:
    checkout.make("test")
    checkout.make("tune")
    assert checkout.calls() == ["venv", "requirements-dev.txt"]


def test_a_change_of_the_runtime_requirements_reaches_the_tests(checkout: Checkout) -> None:
    checkout.make("test")
    original = (checkout.root / "requirements.txt").read_text()
    checkout.write("requirements.txt", "torch==2.14.0\n")
    checkout.make("tune")
    checkout.write("requirements.txt", original)
    checkout.calls()
    checkout.make("test")
    assert checkout.calls() == ["requirements-dev.txt"]


def test_an_interrupted_install_is_done_again_from_the_start(checkout: Checkout) -> None:
    checkout.pip_does(f"touch '{checkout.stubs}/started'; touch .venv/half-written; exec sleep 60\n")
    with subprocess.Popen(
        checkout.command("tune"),
        cwd=checkout.root,
        env=environment(),
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as interrupted:
        wait_for(checkout.stubs / "started")
        os.killpg(interrupted.pid, signal.SIGINT)  # What Ctrl-C does.
        _, errors = interrupted.communicate(timeout=30)
    assert interrupted.returncode != 0
    assert "interrupted; the same command does it again" in errors
    assert "Traceback" not in errors

    checkout.pip_does("")
    checkout.calls()
    assert checkout.make("tune").returncode == 0
    assert checkout.calls() == ["venv", "requirements.txt"]
    assert not (checkout.root / ".venv/half-written").exists()


def heed_ctrl_c() -> None:
    """Undoes what a background job inherits: SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def test_two_calls_at_once_install_once(checkout: Checkout) -> None:
    checkout.pip_does(f"touch '{checkout.stubs}/started'; sleep 1\n")
    with subprocess.Popen(
        checkout.command("tune"),
        cwd=checkout.root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as first:
        wait_for(checkout.stubs / "started")
        second = checkout.make("tune")
        assert first.wait(timeout=30) == 0
    assert second.returncode == 0
    assert "waiting for it" in second.stderr
    assert checkout.calls() == ["venv", "requirements.txt"]


def make_python_vanish(checkout: Checkout) -> None:
    python = checkout.root / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python3")


def make_python_fail(checkout: Checkout) -> None:
    script(checkout.root / ".venv/bin/python", "#!/bin/sh\nexit 1\n")


def move_the_folder(checkout: Checkout) -> None:
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))


@pytest.mark.parametrize("breaks", [make_python_vanish, make_python_fail, move_the_folder])
def test_a_broken_venv_is_built_anew(checkout: Checkout, breaks: Callable[[Checkout], None]) -> None:
    checkout.make("tune")
    breaks(checkout)
    checkout.calls()
    done = checkout.make("tune")
    assert done.returncode == 0, done.stderr
    assert checkout.calls() == ["venv", "requirements.txt"]
    assert "building it anew" in done.stderr


def test_a_venv_made_by_hand_is_kept(checkout: Checkout) -> None:
    bin_folder = checkout.root / ".venv/bin"
    bin_folder.mkdir(parents=True)
    checkout.write(".venv/pyvenv.cfg", "")
    checkout.write(".venv/mine", "")
    shutil.copy(checkout.stubs / "venv-python", bin_folder / "python")
    checkout.make("tune")
    assert checkout.calls() == ["requirements.txt"]
    assert (checkout.root / ".venv/mine").exists()


def test_a_folder_that_is_no_venv_is_never_deleted(checkout: Checkout) -> None:
    (checkout.root / ".venv").mkdir()
    checkout.write(".venv/thesis.txt", "mine")
    done = checkout.make("tune")
    assert_told(done, f"{checkout.root}/.venv is not a virtual environment: move it out of the way")
    assert (checkout.root / ".venv/thesis.txt").read_text() == "mine"


def assert_told(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Exit code 2 and one message with these parts, instead of a traceback or the command itself."""
    assert done.returncode == 2
    for part in parts:
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert "ran:" not in done.stdout


def test_an_absent_python_is_named(checkout: Checkout) -> None:
    done = run(["make", "tune", "PYTHON=python-that-is-not-there"], checkout.root)
    assert_told(done, "'python-that-is-not-there' was not found: install Python 3.11 or newer")


def test_an_old_python_is_told_which_one_is_needed(checkout: Checkout) -> None:
    checkout.stub_system_python(
        'import platform; platform.python_version = lambda: "3.9.2"; sys.version_info = (3, 9, 2)'
    )
    done = checkout.make("tune")
    assert_told(done, "Python 3.11 or newer is needed, but got 3.9.2", "make PYTHON=")
    assert not (checkout.root / ".venv").exists()


def test_setup_is_syntax_that_old_pythons_read() -> None:
    source = (ROOT / "hpo/setup_venv.py").read_text()
    ast.parse(source, feature_version=(3, 7))  # The oldest that ast knows of.
    assert "from __future__" not in source  # Python 3.6 has no `annotations` there.


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_missing_venv_module_gives_the_remedy(checkout: Checkout, module: str) -> None:
    checkout.stub_system_python(f'sys.modules["{module}"] = None')
    done = checkout.make("tune")
    assert_told(done, "sudo apt install python3-venv")
    assert not (checkout.root / ".venv").exists()


def test_too_little_disk_is_found_before_anything_is_written(checkout: Checkout) -> None:
    usage = "import shutil, types; shutil.disk_usage = lambda path: types.SimpleNamespace(free=0.3e9)"
    checkout.stub_system_python(usage)
    done = checkout.make("tune")
    assert_told(done, "the disk is full: 0.3 GB free", "about 2 GB", "about 8 GB", "PIP_EXTRA_INDEX_URL=https://")
    assert not (checkout.root / ".venv").exists()


def test_a_disk_that_fills_up_is_told_and_the_install_redone(checkout: Checkout) -> None:
    checkout.pip_does("echo 'ERROR: [Errno 28] No space left on device' >&2; exit 1\n")
    assert_told(checkout.make("tune"), "No space left", "the disk is full", "GB free", "about 2 GB", "about 8 GB")
    checkout.pip_does("")
    checkout.calls()
    assert checkout.make("tune").returncode == 0
    assert checkout.calls() == ["venv", "requirements.txt"]


def test_no_network_is_told_and_keeps_the_venv(checkout: Checkout) -> None:
    checkout.make("tune")
    checkout.write("requirements.txt", "torch==2.14.0\n")
    checkout.calls()
    checkout.pip_does("echo 'WARNING: Retrying ... NewConnectionError(...)' >&2; exit 1\n")
    assert_told(checkout.make("tune"), "connect to the internet", "HTTPS_PROXY")
    checkout.pip_does("")
    assert checkout.make("tune").returncode == 0
    assert checkout.calls() == ["requirements.txt", "requirements.txt"]


def test_a_package_without_a_build_is_told(checkout: Checkout) -> None:
    checkout.pip_does("echo 'ERROR: No matching distribution found for torch==2.13.0' >&2; exit 1\n")
    assert_told(checkout.make("tune"), "no build of a package in requirements.txt", "try another Python")


def test_pip_that_fails_otherwise_speaks_for_itself(checkout: Checkout) -> None:
    checkout.pip_does("echo 'ERROR: the moon is full' >&2; exit 1\n")
    assert_told(checkout.make("tune"), "ERROR: the moon is full", "its reason is above")


@pytest.mark.slow
def test_real_venv_and_pip_install_a_package(checkout: Checkout) -> None:
    for name in ("package", "hpo"):
        (checkout.root / name).mkdir(exist_ok=True)
    wheel(checkout.root / "package")
    checkout.write("requirements.txt", "--no-index\n--find-links package\ntiny-package==1.0\n")
    checkout.write("hpo/__main__.py", "import sys, tiny_package; print('tuned', *sys.argv[1:])\n")
    command = ["make", f"PYTHON={sys.executable}", "tune", "TRIALS=2"]
    done = run(command, checkout.root)
    assert done.returncode == 0, done.stderr
    assert "tuned tune cifar10 --trials 2" in done.stdout
    assert "tiny-package" in json.dumps(pip_list(checkout.root))
    assert run(command, checkout.root).stderr == ""


def wheel(folder: Path) -> None:
    """The smallest wheel that pip installs."""
    with zipfile.ZipFile(folder / "tiny_package-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("tiny_package.py", "")
        archive.writestr(
            "tiny_package-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-package\nVersion: 1.0\n"
        )
        archive.writestr(
            "tiny_package-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_package-1.0.dist-info/RECORD", "")


def pip_list(root: Path) -> list[dict[str, str]]:
    listed = run([str(root / ".venv/bin/python"), "-m", "pip", "list", "--format=json"], root)
    return list(json.loads(listed.stdout))


# Requirements and .ci/run


def test_every_requirement_is_pinned_exactly() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines() + (
        ROOT / "requirements-dev.txt"
    ).read_text().splitlines()
    assert len(lines) > 15
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9-]+==[0-9.]+|-r requirements\.txt", line)] == []


PASSES = "def test_passes() -> None:\n    pass\n"


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        (PASSES, 0),
        (PASSES + "@pytest.mark.skipif(True, reason='needs a GPU')\ndef test_gpu() -> None:\n    pass\n", 0),
        (PASSES + "@pytest.mark.xfail\ndef test_known() -> None:\n    assert False\n", 0),
        (PASSES + "@pytest.mark.skip(reason='no network')\ndef test_net() -> None:\n    pass\n", 1),
        (PASSES + "def test_late_skip() -> None:\n    pytest.skip('no ffmpeg')\n", 1),
        (PASSES + "pytest.importorskip('module_that_is_not_there')\n", 1),
        (PASSES + "pytest.skip('only with a GPU', allow_module_level=True)\n", 0),
        (PASSES + "def test_fails() -> None:\n    assert False\n", 2),
        ("", 2),
    ],
    ids=["passes", "GPU", "xfail", "skip", "late-skip", "module-skip", "module-GPU", "fails", "no-tests"],
)
def test_ci_fails_where_a_test_is_skipped_but_for_the_gpu(checkout: Checkout, tests: str, code: int) -> None:
    (checkout.root / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", checkout.root / ".ci/run")
    (checkout.root / "tests").mkdir()
    checkout.write("tests/test_some.py", "import pytest\n" + tests)
    if tests:
        checkout.write("tests/test_other.py", PASSES)
    checkout.write(
        "Makefile", "check:\n\t@echo checked\ntest-all:\n\t@.venv/bin/python -m pytest -q -p no:cacheprovider\n"
    )
    (checkout.root / ".venv/bin").mkdir(parents=True)
    script(checkout.root / ".venv/bin/python", f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    done = run([str(checkout.root / ".ci/run")], checkout.stubs)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.startswith("checked")


def test_ci_points_the_tests_at_the_shared_cifar10(checkout: Checkout) -> None:
    (checkout.root / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", checkout.root / ".ci/run")
    (checkout.root.parent / "shared/cifar10").mkdir(parents=True)
    checkout.write("Makefile", 'check:\n\t@echo "root: $$CIFAR10_ROOT"; exit 3\n')
    done = run([str(checkout.root / ".ci/run")], checkout.stubs)
    assert f"root: {checkout.root.parent}/shared/cifar10\n" in done.stdout
    assert done.returncode != 0
