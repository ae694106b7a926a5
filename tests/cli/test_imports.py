"""Libraries that take long to import: each command imports those that it uses, when it uses them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import fault_injection

SLOW = ("torch", "optuna", "sqlalchemy", "pandas", "sklearn", "matplotlib", "plotly", "imageio", "optuna_dashboard")
# Runs a command; prints which of these are loaded when it ends, or at the first update of a training.
SCRIPT = f"""
import os
import sys

def end(*_):
    print(*[name for name in {SLOW!r} if name in sys.modules])
    sys.stdout.flush()
    os._exit(0)

if sys.argv[1:] == ["tune", "small.yaml"]:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    register_optimizer_step_post_hook(end)
from hpo.cli.app import main

try:
    main()
except SystemExit:
    end()
"""


def loaded(folder: Path, *arguments: str) -> set[str]:
    """Return the slow libraries that a command has loaded, the last line that it prints."""
    root = str(fault_injection.ROOT)
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": root, "PATH": ""}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("command", ["retrain", "train", "figures", "status", "report", "export", "dashboard"])
def test_help_loads_none_of_them(command: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, command, "--help") == set()


def test_a_faulty_study_file_is_refused_without_torch(tmp_path: Path) -> None:
    (tmp_path / "faulty.yaml").write_text("seed: -1\n")
    for command in ("tune", "retrain", "status"):
        assert loaded(tmp_path, command, "faulty.yaml") <= {"optuna"}


def test_a_search_begins_and_its_status_is_shown_without_the_libraries_that_draw(tmp_path: Path) -> None:
    study = fault_injection.STUDY.replace("source: folder, root: images", "source: sample")
    (tmp_path / "small.yaml").write_text(study)
    assert loaded(tmp_path, "tune", "small.yaml") == {"torch", "optuna", "sqlalchemy"}
    assert loaded(tmp_path, "status", "small.yaml") == {"optuna", "sqlalchemy"}
