"""Real kills of the real command line: what goes on afterwards ends as if nothing had happened."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import torch
from optuna.trial import TrialState
from PIL import Image

from hpo.paths import RunPaths, StudyPaths
from hpo.workers import has_worker

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parent.parent
N_TRIALS, EPOCHS = 4, 3
STUDY = f"""
data: {{source: folder, root: images}}
model: {{channels: [2, 2, 4, 4]}}
hyperparameters:
  beta: {{low: 0.5, high: 2.0, log: true}}
  learning_rate: {{low: 1e-4, high: 1e-2, log: true}}
  latent_dim: 4
  batch_size: 16
training: {{epochs: {EPOCHS}, precision: float32}}
budget: {{trials: {N_TRIALS}}}
pruner: {{startup_trials: 1, warmup_epochs: 1}}
retrain: {{epochs: 3, importance_samples: 2}}
"""
# When a function is called for the n-th time; see `killer.py`.
MOMENTS_OF_TUNE = [
    ("before", "hpo.tune.create_study", 1),
    ("before", "optuna.create_study", 1),
    ("after", "optuna.create_study", 1),
    ("after", "optuna.study.Study.set_user_attr", 2),
    ("before", "optuna.study.Study.enqueue_trial", 1),
    ("after", "optuna.study.Study.enqueue_trial", 1),
    ("after", "optuna.study.Study.ask", 1),
    ("after", "optuna.study.Study.ask", 3),
    ("after", "optuna.trial.Trial.suggest_float", 1),
    ("after", "optuna.trial.Trial.suggest_float", 5),
    ("after", "model.train._update", 7),
    ("before", "hpo.objective.save_state", 1),
    ("before", "model.atomic._flush_to_disk", 3),
    ("before", "model.atomic.os.replace", 4),
    ("after", "hpo.objective.save_state", 2),
    ("after", "optuna.trial.Trial.report", 1),
    ("after", "optuna.trial.Trial.report", 5),
    ("after", "optuna.trial.Trial.should_prune", 3),
    ("before", "optuna.study.Study.tell", 1),
    ("before", "optuna.study.Study.tell", 2),
    ("after", "optuna.trial.Trial.set_user_attr", 3),
    ("after", "optuna.study.Study.tell", 1),
    ("after", "optuna.study.Study.tell", 3),
    ("before", "hpo.objective.remove_unneeded", 2),
]
MOMENTS_OF_RETRAINING = [
    ("after", "model.train._update", 9),
    ("before", "hpo.run.save_state", 2),
    ("after", "hpo.run.save_state", 2),
    ("before", "hpo.run.score", 1),
    ("before", "hpo.suite.curves.loss_curves", 1),
    ("before", "hpo.run.write_films", 1),
    ("after", "hpo.run.move_aside", 1),
    ("before", "hpo.retrain._write_down", 1),
]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 images: 80 to train on."""
    folder = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{index:03d}.png")
    return folder


def checkout(folder: Path, images: Path) -> Path:
    (folder / "study_configs").mkdir(parents=True)
    (folder / "study_configs" / "small.yaml").write_text(STUDY)
    (folder / "images").symlink_to(images)
    return folder


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=300
    )


def kill(folder: Path, moment: tuple[str, str, int], *arguments: str) -> None:
    when, function, n_calls = moment
    killed = run(folder, str(ROOT / "tests" / "killer.py"), when, function, str(n_calls), *arguments)
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr


def finish(folder: Path, *arguments: str) -> str:
    done = run(folder, "-m", "hpo", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def load(folder: Path) -> optuna.Study:
    database = folder / "results" / "small" / "study.db"
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return optuna.load_study(study_name="small", storage=f"sqlite:///{database}")


def outcome(folder: Path) -> list[tuple[Any, ...]]:
    """All that a study found; timings, and that a worker died, left out."""
    return [
        (t.number, t.state, t.params, t.value, t.intermediate_values, t.user_attrs["end"], t.user_attrs["sigma"])
        for t in load(folder).trials
    ]


@pytest.fixture(scope="module")
def reference(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tuned and retrained, undisturbed."""
    folder = checkout(tmp_path_factory.mktemp("reference"), images)
    finish(folder, "tune", "small")
    finish(folder, "retrain", "small")
    assert len(outcome(folder)) == N_TRIALS
    return folder


@pytest.mark.parametrize("moment", MOMENTS_OF_TUNE, ids=str)
def test_a_search_that_was_killed_ends_as_if_it_had_not(
    moment: tuple[str, str, int], reference: Path, images: Path, tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "checkout", images)
    kill(folder, moment, "tune", "small")
    finish(folder, "tune", "small")
    assert outcome(folder) == outcome(reference)
    paths = StudyPaths(folder / "results" / "small")
    assert [path.name for path in paths.claims.iterdir()] == [paths.next_claim.name]
    assert not any(path.name.startswith(".") for path in paths.checkpoints.iterdir())


def test_a_search_killed_again_and_again_ends_as_if_it_had_not(reference: Path, images: Path, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "checkout", images)
    for n_updates in (3, 8, 12, 9, 14):
        kill(folder, ("after", "model.train._update", n_updates + 10), "tune", "small")
    finish(folder, "tune", "small")
    assert outcome(folder) == outcome(reference)


@pytest.fixture(scope="module")
def tuned(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference's study without its retraining."""
    folder = tmp_path_factory.mktemp("tuned") / "checkout"
    subprocess.run(["cp", "-a", str(reference), str(folder)], check=True)
    subprocess.run(["rm", "-r", str(folder / "results" / "small" / "best")], check=True)
    return folder


def course(paths: RunPaths) -> pd.DataFrame:
    return pd.read_csv(paths.metrics_csv).drop(columns=["images_per_second", "elapsed_s"])


@pytest.mark.parametrize("moment", MOMENTS_OF_RETRAINING, ids=str)
def test_a_retraining_that_was_killed_ends_as_if_it_had_not(
    moment: tuple[str, str, int], reference: Path, tuned: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "checkout"
    subprocess.run(["cp", "-a", str(tuned), str(folder)], check=True)
    kill(folder, moment, "retrain", "small")
    finish(folder, "retrain", "small")
    ours, theirs = (RunPaths(place / "results" / "small" / "best") for place in (folder, reference))
    assert ours.config.read_bytes() == theirs.config.read_bytes()
    pd.testing.assert_frame_equal(course(ours), course(theirs), check_exact=True)
    weights = [torch.load(paths.model, weights_only=True)["model"] for paths in (ours, theirs)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])
    for frame in theirs.frames.iterdir():
        assert (ours.frames / frame.name).read_bytes() == frame.read_bytes()
    assert {p.name for p in ours.folder.iterdir()} == {p.name for p in theirs.folder.iterdir()}
    assert load(folder).user_attrs["retrained_epochs"] == 3


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,args="], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "spawn_main" in line]


def start_workers(folder: Path) -> subprocess.Popen[str]:
    """Four workers on twelve trials of many epochs, once the first reports have come."""
    config = folder / "study_configs" / "small.yaml"
    config.write_text(config.read_text().replace(f"epochs: {EPOCHS},", "epochs: 40,"))
    command = [sys.executable, "-m", "hpo", "tune", "small", "--workers", "4", "--trials", "12"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, cwd=folder, env=environment(), **pipes)
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 2/" in line:
            return process
    raise AssertionError("no worker came to its second epoch")


def audit_workers(folder: Path) -> None:
    trials = load(folder).trials
    assert [trial.number for trial in trials] == list(range(12))
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    for trial in trials:
        steps = list(trial.intermediate_values)
        assert steps == list(range(1, len(steps) + 1))
        assert trial.value == trial.intermediate_values[len(steps)]
    paths = StudyPaths(folder / "results" / "small")
    assert not any(has_worker(paths, number) for number in range(12))


def test_workers_that_are_killed_are_replaced_and_their_trials_go_on(images: Path, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "checkout", images)
    leader = start_workers(folder)
    for victim in children(leader.pid)[:2]:
        os.kill(victim, signal.SIGKILL)
    output, _ = leader.communicate(timeout=300)
    assert leader.returncode == 0, output
    assert output.count("died (SIGKILL)") == 2
    audit_workers(folder)


def test_when_the_leader_is_killed_its_workers_die_and_the_next_call_goes_on(images: Path, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "checkout", images)
    leader = start_workers(folder)
    workers = children(leader.pid)
    assert workers
    leader.kill()
    leader.wait()
    deadline = time.monotonic() + 5
    while any(is_alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its leader"
        time.sleep(0.1)
    finish(folder, "tune", "small", "--workers", "4", "--trials", "12")
    audit_workers(folder)


def is_alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-p", str(pid), "-o", "stat="], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.mark.parametrize("signals", [1, 2])
def test_workers_asked_to_stop_leave_their_trials_to_be_gone_on_with(
    signals: int, images: Path, tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "checkout", images)
    leader = start_workers(folder)
    for _ in range(signals):
        leader.send_signal(signal.SIGINT)
        time.sleep(0.3)
    output, _ = leader.communicate(timeout=30)
    assert leader.returncode == 130, output
    finish(folder, "tune", "small", "--workers", "4", "--trials", "12")
    audit_workers(folder)
    assert not any("deaths" in trial.user_attrs for trial in load(folder).trials), "to stop is not to die"
