"""Commands killed at chosen and at random moments: the next call resumes them with the same results."""

import random
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from hpo.storage.paths import RunPaths
from tests.tools.fault_injection import (
    N_TRIALS,
    audit,
    audit_the_end,
    checkout,
    finish,
    keep_output,
    kill,
    load,
    make_images,
    paths_in,
    printed_reports,
    results_of,
    run_with_kill,
    start,
)

pytestmark = pytest.mark.faults

_EXECUTE = "sqlalchemy.engine.default.DefaultDialect.do_execute"
_COMMIT = "sqlalchemy.engine.default.DefaultDialect.do_commit"
# When a function is called for the n-th time; see `kill_at_call.py`.
MOMENTS_OF_TUNE = [
    ("before", "hpo.workers.study_setup.create_study", 1),
    ("before", "optuna.create_study", 1),
    ("after", "optuna.create_study", 1),
    ("after", "optuna.study.Study.set_user_attr", 2),
    ("before", "optuna.study.Study.enqueue_trial", 1),
    ("after", "optuna.study.Study.enqueue_trial", 1),
    ("after", "optuna.study.Study.ask", 1),
    ("after", "optuna.study.Study.ask", 3),
    ("after", "optuna.trial.Trial.suggest_float", 1),
    ("after", "optuna.trial.Trial.suggest_float", 5),
    ("after", "model.training.training_loop._update", 7),
    ("before", "hpo.workers.objective.save_state", 1),
    ("before", "model.atomic_files._flush_to_disk", 3),
    ("before", "model.atomic_files.os.replace", 4),
    ("after", "hpo.workers.objective.save_state", 2),
    ("after", "optuna.trial.Trial.report", 1),
    ("after", "optuna.trial.Trial.report", 5),
    ("after", "optuna.trial.Trial.should_prune", 3),
    ("before", "optuna.study.Study.tell", 1),
    ("before", "optuna.study.Study.tell", 2),
    ("after", "hpo.workers.objective.set_user_attributes", 2),
    ("after", "optuna.study.Study.tell", 1),
    ("after", "optuna.study.Study.tell", 3),
    ("before", "hpo.storage.checkpoints.remove_unneeded_checkpoints", 2),
    ("before", "hpo.workers.pictures.trial_pictures.save_pixels", 1),
    ("after", "hpo.storage.artifacts.upload_artifact", 2),
    ("before", "hpo.storage.local.files.shutil.copyfileobj", 3),
    ("before", "hpo.dashboard.save_note.save_note", 1),
]
MOMENTS_OF_RETRAINING = [
    ("after", "model.training.training_loop._update", 9),
    ("before", "hpo.runs.full_length_run.save_state", 2),
    ("after", "hpo.runs.full_length_run.save_state", 2),
    ("before", "hpo.runs.full_length_run.score", 1),
    ("before", "hpo.runs.run_figures.loss_curves.draw_loss_curves", 1),
    ("before", "hpo.runs.full_length_run.write_animations", 1),
    ("before", "hpo.runs.retrain._set_attributes", 1),
]
MOMENTS_OF_A_SINGLE_RUN = [
    ("after", "model.training.training_loop._update", 8),
    ("after", "hpo.runs.full_length_run.save_state", 1),
    ("before", "model.atomic_files.os.replace", 5),
    ("before", "hpo.runs.full_length_run.write_page", 1),
]
# Functions at which a process is killed at random, and the latest call.
RANDOM_FUNCTIONS = [
    (_EXECUTE, 250),
    (_COMMIT, 60),
    ("model.training.training_loop._update", 20),
    ("model.atomic_files.os.replace", 6),
]
N_RANDOM = 4
SINGLE_RUN = (
    "train",
    "--data",
    "images",
    "--latent-dim",
    "2",
    "--batch-size",
    "16",
    "--epochs",
    "3",
    "--output",
    "one",
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def reference(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that was tuned and retrained without a kill."""
    folder = checkout(tmp_path_factory.mktemp("reference"), images)
    finish(folder, "tune", "small")
    finish(folder, "retrain", "small")
    audit_the_end(folder, N_TRIALS)
    return folder


def audit_like_the_reference(folder: Path, reference: Path) -> None:
    audit_the_end(folder, N_TRIALS)
    assert results_of(folder) == results_of(reference)
    printed = printed_reports(folder)
    assert len(printed) == len(set(printed)), "an epoch was reported twice"


@pytest.mark.parametrize("moment", MOMENTS_OF_TUNE, ids=str)
def test_a_killed_search_resumes_with_the_same_results(
    moment: tuple[str, str, int], reference: Path, images: Path, tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "checkout", images)
    kill(folder, moment, "tune", "small")
    audit(folder)
    finish(folder, "tune", "small")
    audit_like_the_reference(folder, reference)


def test_a_search_killed_in_several_trials_resumes_with_the_same_results(
    reference: Path, images: Path, tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "checkout", images)
    for n_updates in (13, 12, 9, 11, 7):
        kill(folder, ("after", "model.training.training_loop._update", n_updates), "tune", "small")
        audit(folder)
    finish(folder, "tune", "small")
    audit_like_the_reference(folder, reference)


@pytest.mark.parametrize("seed", range(4))
def test_a_search_killed_at_random_statements_and_writes_resumes_with_the_same_results(
    seed: int, reference: Path, images: Path, tmp_path: Path
) -> None:
    folder, chance = checkout(tmp_path / "checkout", images), random.Random(seed)
    n_kills = 0
    while n_kills < N_RANDOM:
        function, latest = chance.choice(RANDOM_FUNCTIONS)
        moment = (chance.choice(["before", "after"]), function, chance.randint(1, latest))
        if not run_with_kill(folder, moment, "tune", "small"):
            break
        n_kills += 1
        audit(folder)
    assert n_kills >= 2, "with fewer kills this tests little"
    finish(folder, "tune", "small")
    audit_like_the_reference(folder, reference)


@pytest.mark.parametrize("seed", range(2))
def test_a_search_killed_at_random_times_resumes_with_the_same_results(
    seed: int, reference: Path, images: Path, tmp_path: Path
) -> None:
    folder, chance = checkout(tmp_path / "checkout", images), random.Random(100 + seed)
    for _ in range(3):
        process = start(folder, "tune", "small")
        for line in process.stdout:
            keep_output(folder, line)
            # From the budget estimate on: before it there is only the start of Python.
            if "images/s here" in line:
                break
        time.sleep(chance.uniform(0, 1.5))
        process.kill()
        output, _ = process.communicate()
        keep_output(folder, output)
        audit(folder)
    finish(folder, "tune", "small")
    audit_like_the_reference(folder, reference)


@pytest.mark.parametrize(("number", "times"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGINT, 2)])
def test_a_search_stops_within_seconds_of_a_signal_and_resumes_with_the_same_results(
    number: int, times: int, reference: Path, images: Path, tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "checkout", images)
    process = start(folder, "tune", "small")
    for line in process.stdout:
        keep_output(folder, line)
        if "epoch 1/" in line:
            break
    asked = time.monotonic()
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.05)
    output, _ = process.communicate(timeout=30)
    keep_output(folder, output)
    assert process.returncode == 130, output
    assert time.monotonic() - asked < 10
    assert not any("deaths" in trial.user_attrs for trial in audit(folder)), (
        "a worker that stops on request has not crashed"
    )
    finish(folder, "tune", "small")
    audit_like_the_reference(folder, reference)


@pytest.fixture(scope="module")
def tuned(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference's study without its retraining."""
    folder = tmp_path_factory.mktemp("tuned") / "checkout"
    shutil.copytree(reference, folder, symlinks=True)
    shutil.rmtree(paths_in(folder).best.folder)
    return folder


@pytest.mark.parametrize("moment", MOMENTS_OF_RETRAINING, ids=str)
def test_a_killed_retraining_resumes_with_the_same_files(
    moment: tuple[str, str, int], reference: Path, tuned: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tuned, tmp_path / "checkout", symlinks=True)
    kill(folder, moment, "retrain", "small")
    finish(folder, "retrain", "small")
    assert_alike(paths_in(folder).best, paths_in(reference).best)
    assert load(folder).user_attrs["retrained_epochs"] == 3


def test_a_kill_while_an_earlier_retraining_is_moved_aside_loses_neither(
    reference: Path, tuned: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tuned, tmp_path / "checkout", symlinks=True)
    finish(folder, "retrain", "small", "--epochs", "1")
    kill(folder, ("after", "hpo.runs.full_length_run.move_aside", 1), "retrain", "small")
    assert not paths_in(folder).best.folder.exists(), "moved aside, and not yet replaced"
    finish(folder, "retrain", "small")
    assert_alike(paths_in(folder).best, paths_in(reference).best)
    (earlier,) = paths_in(folder).folder.glob("best-*")
    assert len(pd.read_csv(RunPaths(earlier).metrics_csv)) == 2


@pytest.fixture(scope="module")
def single_run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    folder = checkout(tmp_path_factory.mktemp("single"), images)
    finish(folder, *SINGLE_RUN)
    return RunPaths(folder / "one")


@pytest.mark.parametrize("moment", MOMENTS_OF_A_SINGLE_RUN, ids=str)
def test_a_killed_single_run_resumes_with_the_same_files(
    moment: tuple[str, str, int], single_run: RunPaths, images: Path, tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "checkout", images)
    kill(folder, moment, *SINGLE_RUN)
    finish(folder, *SINGLE_RUN)
    assert_alike(RunPaths(folder / "one"), single_run)


def assert_alike(ours: RunPaths, theirs: RunPaths) -> None:
    """Check that the files of two runs are equal to the last bit, except for timings."""
    assert {path.name for path in ours.folder.iterdir()} == {path.name for path in theirs.folder.iterdir()}
    assert ours.config.read_bytes() == theirs.config.read_bytes()
    mine, other = (pd.read_csv(paths.metrics_csv) for paths in (ours, theirs))
    timings = ["images_per_second", "elapsed_s"]
    pd.testing.assert_frame_equal(mine.drop(columns=timings), other.drop(columns=timings), check_exact=True)
    weights = [torch.load(paths.model, weights_only=True)["model"] for paths in (ours, theirs)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])
    assert contents(ours.frames) == contents(theirs.frames)
    assert contents(ours.samples_frames) == contents(theirs.samples_frames)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
