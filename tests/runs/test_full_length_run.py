"""Training runs: trained once, resumed after interruptions, and complete when their folder appears."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import pytest

from hpo.runs.full_length_run import RunEvent, RunFinished, RunStarted, TrainingRun, execute
from hpo.storage.local.file_locks import Busy, hold_lock
from hpo.storage.paths import RunPaths
from hpo.storage.run_record import RunError, read_record
from model.data.images import ImageData
from model.device import Runtime
from model.training.training_loop import EpochMetrics
from tests.tools.small_run import SMALL, finish, small_run

TIMINGS = ["images_per_second", "elapsed_s"]
OTHER = replace(SMALL, beta=2.0, epochs=1)


def leave_out_figures(patch: pytest.MonkeyPatch) -> None:
    """Leave out figures, animations, page and pPCA, which take seconds; the animations' frames are drawn."""
    for name, result in (("run_drawings", {}), ("write_animations", []), ("write_page", None)):
        patch.setattr(f"hpo.runs.full_length_run.{name}", lambda *_, result=result: result)
    patch.setattr("model.scoring.ppca.fit", lambda _: None)
    patch.setattr("model.scoring.ppca.score", lambda _model, _images, sizes: dict.fromkeys(sizes, 6.0))


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_figures(monkeypatch)


@pytest.fixture(scope="module")
def whole(few_images: ImageData, runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunPaths]:
    """A finished run that was never interrupted and had no test images; no test may change it."""
    paths = RunPaths(tmp_path_factory.mktemp("whole") / "run")
    with pytest.MonkeyPatch.context() as patch:
        leave_out_figures(patch)
        counts = {"source": "folder", "n_train": 0, "n_val": 0, "n_test": 0}
        patch.setattr("hpo.runs.final_test_scores.provenance.data_facts", lambda _: counts)
        # Any access to the test split raises an error.
        finish(small_run(replace(few_images, test=None), runtime), paths)  # type: ignore[arg-type]
    yield paths


@pytest.fixture
def finished(whole: RunPaths, final: RunPaths) -> RunPaths:
    """A copy of the finished run."""
    shutil.copytree(whole.folder, final.folder)
    return final


def stop_after(epoch: int, run: TrainingRun, final: RunPaths) -> list[RunEvent]:
    """Train until this epoch has been reported; return the events."""
    events: list[RunEvent] = []
    for event in execute(run, final):
        events.append(event)
        if isinstance(event, EpochMetrics) and event.epoch == epoch:
            break
    return events


def epochs_of(events: list[RunEvent]) -> list[float]:
    return [event.epoch for event in events if isinstance(event, EpochMetrics)]


def table_of(paths: RunPaths) -> pd.DataFrame:
    """Return a run's metrics without those that depend on the clock."""
    return pd.read_csv(paths.metrics_csv).drop(columns=TIMINGS)


def test_a_run_that_is_interrupted_after_every_epoch_ends_as_one_that_was_not(
    run: TrainingRun, final: RunPaths, whole: RunPaths
) -> None:
    for epoch in (1, 2, 3):
        events = stop_after(epoch, run, final)
        assert events[0] == RunStarted(float(epoch - 1), None)
        assert epochs_of(events) == [epoch]
        assert not final.folder.exists(), "the folder appears when the run is complete"
    started, *_, ended = execute(run, final)
    assert started == RunStarted(3.0, None) and isinstance(ended, RunFinished)
    pd.testing.assert_frame_equal(table_of(final), table_of(whole), check_exact=True)
    assert final.config.read_bytes() == whole.config.read_bytes()
    for frames in ("frames", "samples_frames"):
        names = [path.name for path in sorted(getattr(whole, frames).iterdir())]
        assert len(names) == 5, "untrained, pPCA, and three epochs"
        for name in names:
            assert (getattr(final, frames) / name).read_bytes() == (getattr(whole, frames) / name).read_bytes()
    assert not final.under_way.folder.exists()
    assert not final.state.exists()


def test_only_a_run_that_starts_from_ppca_has_a_frame_of_it(run: TrainingRun, final: RunPaths) -> None:
    stop_after(1, run, final)
    assert final.under_way.frame(0, is_pca=True).exists() and final.under_way.samples_frame(0, is_pca=True).exists()
    without = replace(run, config=replace(run.config, pca_start=False))
    stop_after(1, without, final)
    assert len(list(final.under_way.frames.iterdir())) == len(list(final.under_way.samples_frames.iterdir())) == 2


def test_a_run_with_other_values_does_not_resume_an_interrupted_one(run: TrainingRun, final: RunPaths) -> None:
    stop_after(1, run, final)
    events = list(execute(replace(run, config=OTHER), final))
    assert isinstance(events[0], RunStarted)
    assert events[0].epoch == 0
    assert "had other values" in str(events[0].notice)
    assert epochs_of(events) == [1]


def test_a_damaged_checkpoint_restarts_the_run_with_a_notice(run: TrainingRun, final: RunPaths) -> None:
    stop_after(2, run, final)
    final.under_way.state.write_bytes(b"torn")
    events = list(execute(run, final))
    assert isinstance(events[0], RunStarted)
    assert events[0].epoch == 0
    assert "starting over" in str(events[0].notice)
    assert len(table_of(final)) == 4


def test_the_same_run_is_not_trained_twice(run: TrainingRun, finished: RunPaths) -> None:
    metrics, scores = json.loads(finished.metrics_json.read_text()), table_of(finished)["val_bpd"].tolist()
    (again,) = execute(replace(run, fps=9.0), finished)
    assert isinstance(again, RunFinished)
    assert again.metrics == metrics
    assert [row["val_bpd"] for row in again.history] == scores
    assert "already holds this run" in again.notices[0]


def test_another_run_is_moved_aside_and_not_deleted(run: TrainingRun, finished: RunPaths) -> None:
    metrics = finished.metrics_json.read_bytes()
    ended = finish(replace(run, config=OTHER), finished)
    (old,) = finished.folder.parent.glob("run-*")
    assert f"{old}" in ended.notices[-1]
    assert (old / finished.metrics_json.name).read_bytes() == metrics
    assert read_record(finished.config).training.beta == 2.0


def test_a_folder_without_a_run_is_refused_and_kept(run: TrainingRun, final: RunPaths) -> None:
    final.folder.mkdir()
    (final.folder / "holiday.txt").write_text("mine")
    with pytest.raises(RunError, match=r"holds no run .* move the folder away, or name another one"):
        next(execute(run, final))
    assert [path.name for path in final.folder.iterdir()] == ["holiday.txt"]


def test_a_run_is_trained_by_one_process_at_a_time(run: TrainingRun, final: RunPaths) -> None:
    with hold_lock(final.lock, "x"), pytest.raises(Busy, match="run: another process is using it"):
        next(execute(run, final))


def test_the_test_split_is_read_only_on_request_and_then_without_training_again(
    run: TrainingRun, finished: RunPaths
) -> None:
    untested = json.loads(finished.metrics_json.read_text())
    tested = {"test_bpd", "test_bpd_interval", "test_mse", "test_psnr_db", "test_rate_nats", "ppca_bpd"}
    tested |= {"test_distortion_nats", "test_importance_weighted", "codeless_bpd"}
    none = {name for name, value in untested.items() if value is None}
    assert none - {"git_commit"} == tested | {"study", "trial"}
    (again,) = execute(replace(run, importance_samples=4), finished)
    assert isinstance(again, RunFinished)
    assert json.loads(finished.metrics_json.read_text()) == again.metrics
    assert {name for name in tested if again.metrics[name] is None} == set()
    assert untested == again.metrics | dict.fromkeys(tested)
    weighted = again.metrics["test_importance_weighted"]
    assert weighted["bpd"] <= weighted["elbo_bpd_of_the_same_images"] == again.metrics["test_bpd"]


def test_a_picture_that_fails_costs_neither_the_run_nor_the_other_pictures(
    run: TrainingRun, final: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def fail() -> None:
        raise ValueError("mathtext")

    steps = {"samples": fail, "latent maps": lambda: drawn.append("latent maps")}
    monkeypatch.setattr("hpo.runs.full_length_run.run_drawings", lambda *_: steps)
    ended = finish(run, final)
    assert ended.failures == (f"samples could not be made (ValueError: mathtext); see {final.errors}",)
    assert drawn == ["latent maps"] and "in fail" in final.errors.read_text()
    assert final.model.exists() and final.metrics_json.exists()
