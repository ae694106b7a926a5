"""The messages of the set-up of .venv: what the user has to fix, and how."""

import ast
import subprocess
from pathlib import Path

import pytest

from tests.tools.checkout import ROOT, Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def assert_reports(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Check for exit code 2 and a message with these parts, instead of a traceback or the command itself."""
    assert done.returncode == 2
    for part in parts:
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert "ran:" not in done.stdout


def test_a_folder_that_is_no_venv_is_never_deleted(checkout: Checkout) -> None:
    (checkout.root / ".venv").mkdir()
    checkout.write(".venv/thesis.txt", "mine")
    done = checkout.make("tune")
    assert_reports(done, f"{checkout.root}/.venv is not a virtual environment: move it out of the way")
    assert (checkout.root / ".venv/thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("prelude", "parts"),
    [
        (
            'sys.version, sys.version_info = "3.9.2 (default)", (3, 9, 2)',
            ["Python 3.11 or newer is needed, but got 3.9.2 (", "make PYTHON="],
        ),
        ('sys.modules["venv"] = None', ["sudo apt install python3-venv"]),
        ('sys.modules["ensurepip"] = None', ["sudo apt install python3-venv"]),
        (
            "import types; shutil.disk_usage = lambda path: types.SimpleNamespace(free=0.3e9)",
            ["the disk is full: 0.3 GB free", "about 2 GB", "about 8 GB", "PIP_EXTRA_INDEX_URL=https://"],
        ),
    ],
    ids=["old-python", "no-venv", "no-ensurepip", "disk-full"],
)
def test_an_obstacle_is_reported_before_anything_is_written(checkout: Checkout, prelude: str, parts: list[str]) -> None:
    checkout.stub_system_python(prelude)
    assert_reports(checkout.make("tune"), *parts)
    assert not (checkout.root / ".venv").exists()


def test_uv_needs_no_venv_module(checkout: Checkout) -> None:
    checkout.add_uv()
    checkout.stub_system_python('sys.modules["venv"] = sys.modules["ensurepip"] = None')
    assert checkout.make("tune").returncode == 0


def test_the_script_is_syntax_that_old_pythons_parse() -> None:
    source = (ROOT / "scripts/setup_venv.py").read_text()
    ast.parse(source, feature_version=(3, 7))  # The oldest version that ast can check.
    assert "from __future__" not in source  # Python 3.6 has no `annotations` there.


@pytest.mark.parametrize(
    "error", ["ERROR: [Errno 28] No space left on device", "  cause: No space left on device (os error 28)"]
)
def test_a_disk_that_fills_up_is_reported_and_the_next_call_starts_over(checkout: Checkout, error: str) -> None:
    checkout.installer_does(f"echo '{error}' >&2; exit 1\n")
    assert_reports(checkout.make("tune"), error, "the disk is full", "GB free", "about 2 GB", "about 8 GB")
    checkout.installer_does("")
    checkout.calls()
    assert checkout.make("tune").returncode == 0
    assert checkout.calls() == ["venv", "requirements.txt"]


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        ("WARNING: Retrying ... NewConnectionError(...)", ["connect to the internet", "HTTPS_PROXY"]),
        ("  cause: error sending request for url (https://index.invalid/six/)", ["connect to the internet"]),
        (
            "ERROR: No matching distribution found for torch==2.13.0",
            ["no build of a package in requirements.txt", "try another Python"],
        ),
        (
            "error: No solution found when resolving dependencies",
            ["no build of a package in requirements.txt", "try another Python"],
        ),
        ("ERROR: the moon is full", ["ERROR: the moon is full", "its reason is above"]),
    ],
    ids=["pip-no-network", "uv-no-network", "pip-no-build", "uv-no-build", "another"],
)
def test_a_failed_installation_is_explained_and_keeps_the_venv(
    checkout: Checkout, error: str, parts: list[str]
) -> None:
    checkout.installer_does(f"echo '{error}' >&2; exit 1\n")
    assert_reports(checkout.make("tune"), *parts)
    checkout.installer_does("")
    assert checkout.make("tune").returncode == 0
    assert checkout.calls() == ["venv", "requirements.txt", "requirements.txt"]
