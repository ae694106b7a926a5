"""Pictures and notes of trials: drawn however a trial ends, once, and without any effect on its training."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from optuna.trial import TrialState
from optuna_dashboard._note import get_note_from_system_attrs
from PIL import Image, ImageSequence

from hpo.config.schema import Pruner
from hpo.search.pruners import make_pruner
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEvent, TrialReported, TrialStarted
from hpo.workers.worker import run_trials
from model.data.images import ImageData
from model.device import Runtime
from model.training.training_loop import EpochMetrics
from tests.tools.small_study import CONFIG, POOR_VALUES, create_context, reopen, run_until
from tests.workers.trial_files import PICTURES, TABLE_AND_CURVE, files, n_frames

EPOCHS = CONFIG.training.n_epochs
FINISHED, PRUNED, DIVERGED = range(3)


@pytest.fixture(scope="module")
def ended(few_images: ImageData, runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> TrialContext:
    """A study with one trial of each end, which no test may change."""
    context = create_context(StudyPaths(tmp_path_factory.mktemp("ended") / "small"), few_images, runtime)
    list(run_trials(context, 1, None))
    context.study.enqueue_trial(POOR_VALUES)
    context.study.pruner = make_pruner(Pruner(name="median", startup_trials=1), CONFIG.training)
    list(run_trials(context, 2, None))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("model.training.training_loop.MAX_SKIPPED_SHARE", -1.0)
        list(run_trials(context, 3, None))
    return context


def mean_difference(first: Image.Image, second: Image.Image) -> float:
    """Return the mean absolute difference of pixels, whose values are 0 to 255."""
    difference = np.asarray(first.convert("RGB"), float) - np.asarray(second.convert("RGB"), float)
    return float(np.abs(difference).mean())


# Every end


def test_a_finished_trial_has_every_artifact_with_the_right_content(ended: TrialContext) -> None:
    paths = files(ended, FINISHED)
    assert paths.keys() == PICTURES | TABLE_AND_CURVE
    assert n_frames(paths["reconstruction_progress.gif"]) == EPOCHS + 1
    table = pd.read_csv(paths["metrics.csv"])
    assert list(table.columns) == list(EpochMetrics.__dataclass_fields__)
    assert table["val_bpd"].tolist() == list(ended.study.trials[FINISHED].intermediate_values.values())
    with Image.open(paths["reconstruction_progress.gif"]) as gif, Image.open(paths["reconstructions.png"]) as last:
        differences = [mean_difference(frame, last) for frame in ImageSequence.Iterator(gif)]
    assert min(differences) == differences[-1] < 6, "the animation ends with the reconstructions of the last epoch"


def test_a_pruned_trial_has_every_artifact_and_names_the_median_that_it_missed(ended: TrialContext) -> None:
    finished, pruned = ended.study.trials[FINISHED], ended.study.trials[PRUNED]
    assert pruned.state == TrialState.PRUNED
    step = max(pruned.intermediate_values)
    best, median = min(pruned.intermediate_values.values()), finished.intermediate_values[step]
    assert pruned.user_attrs["end"] == f"pruned at epoch {step}: {best:.4f} against the median {median:.4f}"
    assert files(ended, PRUNED).keys() == PICTURES | TABLE_AND_CURVE
    assert n_frames(files(ended, PRUNED)["reconstruction_progress.gif"]) == step + 1


def test_a_trial_that_diverges_before_its_first_report_shows_only_the_untrained_model(ended: TrialContext) -> None:
    assert ended.study.trials[DIVERGED].user_attrs["end"].startswith("diverged")
    assert files(ended, DIVERGED).keys() == PICTURES
    assert n_frames(files(ended, DIVERGED)["reconstruction_progress.gif"]) == 1


def test_the_note_of_a_trial_starts_with_how_it_ended(ended: TrialContext) -> None:
    attributes = ended.study._storage.get_study_system_attrs(ended.study._study_id)
    for trial in ended.study.trials:
        note = str(get_note_from_system_attrs(attributes, trial._trial_id)["body"])
        end = trial.user_attrs["end"]
        assert note.splitlines()[0] == f"**{end[0].upper()}{end[1:]}.**"


def test_frames_of_ended_trials_are_removed_with_their_checkpoints(ended: TrialContext, tmp_path: Path) -> None:
    shutil.copytree(ended.paths.folder, tmp_path / "small")
    context = reopen(ended, StudyPaths(tmp_path / "small"))
    run_until(context, TrialReported, n_total=4)
    frames = {path.name for path in context.paths.checkpoints.iterdir() if path.is_dir()}
    pruned = {f"trial_{trial.number:04d}" for trial in context.study.trials if trial.state == TrialState.PRUNED}
    assert frames == {path.stem for path in context.paths.checkpoints.glob("*.pt")} and "trial_0003" in frames
    assert pruned and not pruned & frames


@pytest.mark.usefixtures("plain_curves")
def test_a_trial_whose_worker_died_too_often_shows_its_last_report(context: TrialContext) -> None:
    run_until(context, TrialReported)
    for _ in range(3):
        context.paths.claim(0).touch()
        run_until(context, TrialStarted)
    context.paths.claim(0).touch()
    list(run_trials(context, 1, None))
    assert context.study.trials[0].user_attrs["end"].startswith("failed: its worker died")
    assert files(context).keys() == PICTURES
    assert n_frames(files(context)["reconstruction_progress.gif"]) == 2


@pytest.mark.usefixtures("plain_curves")
def test_an_interrupted_trial_has_the_same_pictures_as_one_that_was_not(
    context: TrialContext, ended: TrialContext
) -> None:
    stops: list[type[TrialEvent]] = [TrialStarted, TrialReported, TrialReported]
    for kind in stops:
        run_until(context, kind)
    list(run_trials(context, 1, None))
    for name in PICTURES:
        assert files(context)[name].read_bytes() == files(ended, FINISHED)[name].read_bytes()


# By-products


def test_an_unforeseen_error_in_the_drawing_costs_the_pictures_but_not_the_trial(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[None]:
        raise AssertionError("a bug")

    monkeypatch.setattr("hpo.workers.pictures.trial_pictures.draw_trial", broken)
    events = list(run_trials(context, 1, None))
    (notice,) = (event.text for event in events if isinstance(event, Notice))
    assert notice.startswith("trial 0: its pictures could not be made (AssertionError: a bug)")
    assert "in broken" in context.paths.errors.read_text()
    assert context.study.trials[0].state == TrialState.COMPLETE


@pytest.mark.usefixtures("plain_curves")
def test_pictures_do_not_change_the_training(
    tmp_path: Path, few_images: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def metrics(name: str) -> list[dict[str, float]]:
        context = create_context(StudyPaths(tmp_path / name / "small"), few_images, runtime)
        reports = [event.metrics for event in run_trials(context, 2, None) if isinstance(event, TrialReported)]
        timings = {"images_per_second", "elapsed_s"}
        return [{name: value for name, value in vars(report).items() if name not in timings} for report in reports]

    with_pictures = metrics("with")
    monkeypatch.setattr("hpo.workers.pictures.trial_frames.TrialFrameRecorder.record", lambda *_: None)
    assert metrics("without") == with_pictures
    assert len(with_pictures) == 2 * EPOCHS
