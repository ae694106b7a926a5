"""Pictures of trials that are interrupted: no frame is wrong, no artifact duplicated or partial."""

from typing import BinaryIO

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from PIL import Image

from hpo.storage.backend import interrupted_trials
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialReported
from hpo.workers.worker import run_trials
from tests.tools.small_study import CONFIG, run_until
from tests.workers.trial_files import PICTURES, TABLE_AND_CURVE, files, n_frames

EPOCHS = CONFIG.training.n_epochs


def known_to_optuna(context: TrialContext) -> list[str]:
    """Return the file names of the first trial's artifacts as Optuna lists them, repetitions included."""
    artifacts = optuna.artifacts.get_all_artifact_meta(context.study.trials[0], storage=context.study._storage)
    return sorted(artifact.filename for artifact in artifacts)


@pytest.mark.usefixtures("plain_curves")
def test_frames_after_the_checkpoint_are_replaced(context: TrialContext) -> None:
    run_until(context, TrialReported)
    trial_paths = context.paths.trial(0)
    np.save(trial_paths.frame(2), np.zeros_like(np.load(trial_paths.frame(1))))
    list(run_trials(context, 1, None))
    assert n_frames(files(context)["reconstruction_progress.gif"]) == EPOCHS + 1
    with Image.open(files(context)["reconstruction_progress.gif"]) as animation:
        animation.seek(2)
        assert np.asarray(animation.convert("L"))[300:400, 400:600].std() > 0, "not the black frame"


def test_a_damaged_checkpoint_restarts_the_frames(context: TrialContext) -> None:
    run_until(context, TrialReported, 2)
    context.paths.checkpoint(0).write_bytes(b"torn")
    run_until(context, TrialReported)
    frames = sorted(path.name for path in context.paths.trial(0).folder.iterdir())
    assert frames == ["frame_00000.npy", "frame_00001.npy"]


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("plain_curves")
def test_a_kill_between_upload_and_end_duplicates_no_artifact(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(context.study, "tell", killed)
        list(run_trials(context, 1, None))
    uploaded = files(context)
    assert uploaded.keys() == PICTURES | TABLE_AND_CURVE
    list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.COMPLETE
    assert files(context) == uploaded
    assert set(context.paths.artifacts.iterdir()) == set(uploaded.values())
    assert known_to_optuna(context) == sorted(uploaded)


@pytest.mark.usefixtures("plain_curves")
def test_a_kill_during_an_upload_leaves_no_partial_file(context: TrialContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_a_part(source: BinaryIO, target: BinaryIO) -> None:
        target.write(source.read(100))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("hpo.storage.local.files.shutil.copyfileobj", copy_a_part)
        list(run_trials(context, 1, None))
    assert list(context.paths.artifacts.iterdir()) == []
    list(run_trials(context, 1, None))
    assert known_to_optuna(context) == sorted(PICTURES | TABLE_AND_CURVE)
    assert all(path.stat().st_size > 100 for path in files(context).values())


@pytest.mark.usefixtures("plain_curves")
def test_a_trial_whose_pictures_met_a_full_disk_can_be_resumed(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr("hpo.workers.pictures.trial_pictures.save_pixels", full)
        list(run_trials(context, 1, None))
    assert interrupted_trials(context.study, context.paths) == [0]
    list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.COMPLETE
    assert files(context).keys() == PICTURES | TABLE_AND_CURVE
