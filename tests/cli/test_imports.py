"""Libraries that take long to import: each command imports those that it uses, when it uses them."""

import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from hpo.cli.app import COMMANDS
from tests.tools import fault_injection

LIBRARIES = (
    "torch torch._dynamo torchvision optuna sqlalchemy pandas sklearn matplotlib plotly imageio optuna_dashboard"
)
SLOW = tuple(LIBRARIES.split())
# Runs a command; prints its exit code and which of these are loaded when it ends, or when its first trial begins to
# train, after the updates that measure the machine's speed.
SCRIPT = f"""
import os
import sys

def end(code):
    print(code, *[name for name in {SLOW!r} if name in sys.modules])
    sys.stdout.flush()
    os._exit(0)

if sys.argv[1:] == ["tune", "small.yaml"]:
    import hpo.workers.objective

    hpo.workers.objective.train = lambda *_: end("training")
from hpo.cli.app import main

try:
    main()
except SystemExit as error:
    end(error.code)
"""


def loaded(folder: Path, *arguments: str) -> tuple[str, set[str]]:
    """Return how a command ended, and the slow libraries that it has loaded; both are the last line that it prints."""
    root = str(fault_injection.ROOT)
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": root, "PATH": ""}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    code, *names = done.stdout.splitlines()[-1].split()
    return code, set(names)


@pytest.mark.parametrize("command", [None, *(command.__name__.replace("_", "-") for command in COMMANDS)])
def test_help_loads_none_of_them(command: str | None, tmp_path: Path) -> None:
    arguments = [command] if command else []
    assert loaded(tmp_path, *arguments, "--help") == ("0", set())


def test_a_faulty_study_file_is_refused_without_torch(tmp_path: Path) -> None:
    (tmp_path / "faulty.yaml").write_text("seed: -1\n")
    for command in ("tune", "retrain", "status"):
        code, names = loaded(tmp_path, command, "faulty.yaml")
        assert code == "2" and names <= {"optuna"}


def test_a_search_begins_and_its_status_is_shown_without_the_libraries_that_draw(tmp_path: Path) -> None:
    study = fault_injection.STUDY.replace("source: folder, root: images", "source: sample")
    (tmp_path / "small.yaml").write_text(study.replace("name: median, startup_trials: 1, ", ""))
    assert loaded(tmp_path, "tune", "small.yaml") == ("training", {"torch", "optuna", "sqlalchemy"})
    assert loaded(tmp_path, "status", "small.yaml") == ("0", {"optuna", "sqlalchemy"})
    # With a score, the Gaussian process predicts the end of the trial.
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/results/small/study.db")
    trial, *_ = optuna.load_study(study_name="small", storage=storage).trials
    storage.set_trial_intermediate_value(trial._trial_id, 1, 7.0)
    assert loaded(tmp_path, "status", "small.yaml") == ("0", {"optuna", "sqlalchemy"})
