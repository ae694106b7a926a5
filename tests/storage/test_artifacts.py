"""What a trial leaves to be looked at: drawn however it ended, once, whole, and without touching its training."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState
from optuna_dashboard._note import get_note_from_system_attrs
from PIL import Image

from hpo.config.schema import Pruner
from hpo.search.pruners import make_pruner
from hpo.storage import artifacts
from hpo.storage.claims import interrupted_trials
from hpo.storage.database import existing_study
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEvent, TrialReported, TrialStarted
from hpo.workers.worker import run_trials
from model.data.images import ImageData
from model.device import Runtime
from model.training.training_loop import EpochMetrics
from tests.storage.test_create_study import CONFIG, begin, place_of

PICTURES = {"reconstructions.png", "samples.png", "reconstruction_progress.gif"}
OF_REPORTS = {"learning_curve.png", "metrics.csv"}
EPOCHS = CONFIG.training.epochs


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    return StudyPaths(tmp_path / "results" / "small")


@pytest.fixture
def place(paths: StudyPaths, data: ImageData, runtime: Runtime) -> TrialContext:
    return place_of(paths, begin(paths, data), data, runtime)


def files(place: TrialContext, number: int = 0) -> dict[str, Path]:
    return artifacts.artifact_files(place.study.trials[number], place.study, place.paths)


def described(place: TrialContext) -> list[str]:
    """The file names that Optuna itself knows of, each as often as it does."""
    metas = optuna.artifacts.get_all_artifact_meta(place.study.trials[0], storage=place.study._storage)
    return sorted(meta.filename for meta in metas)


def stop_at(place: TrialContext, kind: type[TrialEvent], times: int = 1) -> None:
    """Work until so many events of a kind have come, and leave the trial as it is."""
    events = run_trials(place, 1, None)
    for event in events:
        times -= isinstance(event, kind)
        if not times:
            break
    events.close()


def n_frames(gif: Path) -> int:
    with Image.open(gif) as film:
        return int(film.n_frames)  # type: ignore[attr-defined]


def test_a_finished_trial_has_every_artifact_and_they_show_what_they_say(place: TrialContext) -> None:
    list(run_trials(place, 1, None))
    there = files(place)
    assert there.keys() == PICTURES | OF_REPORTS
    assert n_frames(there["reconstruction_progress.gif"]) == EPOCHS + 1
    table = pd.read_csv(there["metrics.csv"])
    assert list(table.columns) == list(EpochMetrics.__dataclass_fields__)
    assert table["val_bpd"].tolist() == list(place.study.trials[0].intermediate_values.values())
    with Image.open(there["reconstruction_progress.gif"]) as film, Image.open(there["reconstructions.png"]) as last:
        film.seek(EPOCHS)
        difference = np.asarray(film.convert("RGB"), float) - np.asarray(last.convert("RGB"), float)
    assert np.abs(difference).mean() < 3, "the film ends in the last epoch's reconstructions"


def test_a_pruned_trial_has_every_artifact_and_says_what_it_was_compared_with(place: TrialContext) -> None:
    list(run_trials(place, 1, None))
    place.study.pruner = make_pruner(Pruner(name="median", startup_trials=1, warmup_epochs=1), place.config.training)
    first = place.study.trials[0].intermediate_values
    for number in range(1, 8):
        list(run_trials(place, number + 1, None))
        if place.study.trials[number].state == TrialState.PRUNED:
            break
    pruned = place.study.trials[number]
    assert pruned.state == TrialState.PRUNED, "or there is nothing to look at"
    others = [t.intermediate_values for t in place.study.trials if t.state == TrialState.COMPLETE]
    step = max(pruned.intermediate_values)
    assert first in others
    bound = float(np.median([values[step] for values in others]))
    best = min(pruned.intermediate_values.values())
    assert pruned.user_attrs["end"] == f"pruned at epoch {step}: {best:.4f} against the median {bound:.4f}"
    assert files(place, number).keys() == PICTURES | OF_REPORTS
    assert n_frames(files(place, number)["reconstruction_progress.gif"]) == step + 1


def first_line(place: TrialContext, number: int) -> str:
    """Of a trial's note."""
    attributes = place.study._storage.get_study_system_attrs(place.study._study_id)
    trial_id = place.study.get_trials()[number]._trial_id
    return str(get_note_from_system_attrs(attributes, trial_id)["body"]).splitlines()[0]


def test_a_trials_note_begins_with_how_it_ended(place: TrialContext, monkeypatch: pytest.MonkeyPatch) -> None:
    list(run_trials(place, 8, None))
    pruned = next(trial for trial in place.study.trials if trial.state == TrialState.PRUNED)
    assert first_line(place, 0) == "**Finished.**"
    assert re.fullmatch(
        r"\*\*Pruned at epoch \d: [\d.]+ against the median [\d.]+\.\*\*", first_line(place, pruned.number)
    )
    monkeypatch.setattr("model.training.training_loop.MAX_SKIPPED_SHARE", -1.0)
    list(run_trials(place, 9, None))
    assert first_line(place, 8).startswith("**Diverged: ")


def test_a_trial_that_diverges_before_its_first_report_shows_the_untrained_model_alone(
    place: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.training.training_loop.MAX_SKIPPED_SHARE", -1.0)
    list(run_trials(place, 1, None))
    assert place.study.trials[0].user_attrs["end"].startswith("diverged")
    assert files(place).keys() == PICTURES
    assert n_frames(files(place)["reconstruction_progress.gif"]) == 1


def test_a_trial_given_up_because_its_worker_kept_dying_shows_what_it_had_come_to(place: TrialContext) -> None:
    stop_at(place, TrialReported)
    for _ in range(3):
        place.paths.claim(0).touch()
        stop_at(place, TrialStarted)
    place.paths.claim(0).touch()
    list(run_trials(place, 1, None))
    assert place.study.trials[0].user_attrs["end"].startswith("failed: its worker died")
    assert files(place).keys() == PICTURES
    assert n_frames(files(place)["reconstruction_progress.gif"]) == 2


def test_an_interrupted_trial_leaves_the_very_pictures_of_one_that_was_not(
    tmp_path: Path, data: ImageData, runtime: Runtime
) -> None:
    def pictures(name: str, stops: tuple[tuple[type[TrialEvent], int], ...]) -> dict[str, bytes]:
        paths = StudyPaths(tmp_path / name / "small")
        place = place_of(paths, begin(paths, data), data, runtime)
        for kind, times in stops:
            stop_at(place, kind, times)
        list(run_trials(place, 1, None))
        return {name: path.read_bytes() for name, path in files(place).items() if name in PICTURES}

    assert pictures("cut", ((TrialStarted, 1), (TrialReported, 1), (TrialReported, 1))) == pictures("whole", ())


def test_frames_beyond_the_state_are_of_a_course_given_up_and_do_not_count(place: TrialContext) -> None:
    stop_at(place, TrialReported)
    kept = place.paths.trial(0)
    later = np.zeros_like(np.load(kept.frame(1)))
    np.save(kept.frame(2), later)
    list(run_trials(place, 1, None))
    assert n_frames(files(place)["reconstruction_progress.gif"]) == EPOCHS + 1
    with Image.open(files(place)["reconstruction_progress.gif"]) as film:
        film.seek(2)
        assert np.asarray(film.convert("L"))[300:400, 400:600].std() > 0, "not the black one"


def test_a_damaged_checkpoint_begins_the_frames_anew(place: TrialContext) -> None:
    stop_at(place, TrialReported, 2)
    place.paths.checkpoint(0).write_bytes(b"torn")
    stop_at(place, TrialReported)
    assert [path.name for path in sorted(place.paths.trial(0).folder.iterdir())] == [
        "frame_00000.npy",
        "frame_00001.npy",
    ]


def test_pictures_do_not_change_training(
    tmp_path: Path, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(name: str) -> list[dict[str, float]]:
        paths = StudyPaths(tmp_path / name / "small")
        events = run_trials(place_of(paths, begin(paths, data), data, runtime), 2, None)
        reported = [event.metrics for event in events if isinstance(event, TrialReported)]
        timed = {"images_per_second", "elapsed_s"}
        return [{name: value for name, value in vars(one).items() if name not in timed} for one in reported]

    with_pictures = scores("with")
    monkeypatch.setattr("hpo.workers.trial_pictures.TrialFrameRecorder.record", lambda *_: None)
    assert scores("without") == with_pictures
    assert len(with_pictures) == 2 * EPOCHS


def test_a_kill_between_upload_and_the_end_doubles_nothing(
    place: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(place.study, "tell", killed)
        list(run_trials(place, 1, None))
    before = files(place)
    assert before.keys() == PICTURES | OF_REPORTS
    list(run_trials(place, 1, None))
    assert place.study.trials[0].state == TrialState.COMPLETE
    assert files(place) == before
    assert set(place.paths.artifacts.iterdir()) == set(before.values())
    assert described(place) == sorted(before)


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_kill_midway_through_an_upload_leaves_no_half_file(
    place: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(source: BinaryIO, target: BinaryIO) -> None:
        target.write(source.read(100))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("hpo.storage.artifacts.shutil.copyfileobj", half)
        list(run_trials(place, 1, None))
    assert list(place.paths.artifacts.iterdir()) == []
    list(run_trials(place, 1, None))
    assert described(place) == sorted(PICTURES | OF_REPORTS)
    assert all(path.stat().st_size > 100 for path in files(place).values())


def test_a_full_disk_leaves_the_trial_to_go_on(place: TrialContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr("hpo.workers.trial_pictures.save_pixels", full)
        list(run_trials(place, 1, None))
    assert interrupted_trials(place.study, place.paths) == [0]
    list(run_trials(place, 1, None))
    assert place.study.trials[0].state == TrialState.COMPLETE
    assert files(place).keys() == PICTURES | OF_REPORTS


def test_a_fault_of_ours_in_the_drawing_costs_the_pictures_not_the_trial(
    place: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[None]:
        raise AssertionError("a bug")

    monkeypatch.setattr("hpo.workers.trial_results.draw_trial", broken)
    events = list(run_trials(place, 1, None))
    (notice,) = (event.text for event in events if isinstance(event, Notice))
    assert notice.startswith("trial 0: its pictures could not be made (AssertionError: a bug)")
    assert "in broken" in place.paths.errors.read_text()
    assert place.study.trials[0].state == TrialState.COMPLETE


def test_nothing_to_draw_from_is_left_of_trials_that_are_over(place: TrialContext) -> None:
    list(run_trials(place, 2, None))
    stop_at_third = run_trials(place, 3, None)
    while not isinstance(next(stop_at_third), TrialReported):
        pass
    stop_at_third.close()
    folders = [path.name for path in place.paths.checkpoints.iterdir() if path.is_dir()]
    assert folders == ["trial_0002"]


def test_new_content_under_a_name_stays_the_same_artifact(place: TrialContext, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    for text in ("first", "second, longer"):
        file.write_text(text)
        artifacts.upload_or_replace(place.study, place.study, file, place.paths)
    assert {
        name: path.read_text() for name, path in artifacts.artifact_files(place.study, place.study, place.paths).items()
    } == {"page.html": "second, longer"}
    assert len(list(place.paths.artifacts.iterdir())) == 1


def test_an_artifact_deleted_in_the_dashboard_is_none(place: TrialContext, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("x")
    artifacts.upload_or_replace(place.study, place.study, file, place.paths)
    (stored,) = place.paths.artifacts.iterdir()
    # As the dashboard does it.
    stored.unlink()
    place.study._storage.set_study_system_attr(place.study._study_id, f"artifacts:{stored.name}", json.dumps(None))
    assert artifacts.artifact_files(place.study, place.study, place.paths) == {}
    assert artifacts.missing_artifacts_notice(place.study, place.paths) is None
    artifacts.upload_or_replace(place.study, place.study, file, place.paths)
    assert artifacts.artifact_files(place.study, place.study, place.paths).keys() == {"page.html"}


def test_strays_are_removed_and_nothing_else(place: TrialContext) -> None:
    list(run_trials(place, 1, None))
    referred = set(place.paths.artifacts.iterdir())
    stray = place.paths.artifacts / "3c1f7a52-0d3b-4a53-9f0c-6e8f0b1d2a34"
    half_written = place.paths.artifacts / f".{next(iter(referred)).name}.4711"
    on_its_way = place.paths.artifacts / "b1d2a341-0d3b-4a53-9f0c-6e8f0b1d2a34"
    foreign = place.paths.artifacts / "README.txt"
    for path in (stray, half_written, on_its_way, foreign):
        path.write_text("x")
    an_hour_ago = time.time() - 3600
    for path in (*referred, stray, half_written, foreign):
        os.utime(path, (an_hour_ago, an_hour_ago))
    artifacts.remove_unreferenced_files(place.study, place.paths)
    assert set(place.paths.artifacts.iterdir()) == referred | {on_its_way, foreign}


def test_lost_artifacts_are_counted_and_named(place: TrialContext) -> None:
    list(run_trials(place, 1, None))
    assert artifacts.missing_artifacts_notice(place.study, place.paths) is None
    files(place)["samples.png"].unlink()
    line = artifacts.missing_artifacts_notice(place.study, place.paths)
    assert line is not None
    assert line.startswith(
        f"{place.paths.artifacts}: 1 of 5 files of the study are not there (samples.png of trial 0);"
    )
    assert "backup" in line
    assert files(place).keys() == (PICTURES | OF_REPORTS) - {"samples.png"}


def test_a_trial_under_way_has_lost_nothing(place: TrialContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in an upload, it refers to a file that will come when it is taken up again."""
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("hpo.storage.artifacts.shutil.copyfileobj", killed)
        list(run_trials(place, 1, None))
    study = existing_study("small", place.paths)
    assert study is not None
    assert artifacts.missing_artifacts_notice(study, place.paths) is None
