"""A run's folder: built aside, gone on with after an interruption, put in place whole, drawn again without training."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from hpo.runs.animation_frames import frame_epochs
from hpo.runs.redraw import redraw
from hpo.runs.training_run import RunEvent, RunFinished, RunStarted, TrainingRun, execute
from hpo.storage.file_locks import Busy, hold_lock
from hpo.storage.paths import RunPaths, move_aside
from hpo.storage.run_record import RunError, read_record
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from model.training.training_loop import EpochMetrics

SMALL = TrainConfig(latent_dim=4, batch_size=32, epochs=3, channels=(4, 4, 8, 8))
TIMINGS = ["images_per_second", "elapsed_s"]


def small_run(data: ImageData, runtime: Runtime) -> TrainingRun:
    return TrainingRun(
        config=SMALL,
        data=data,
        data_root=Path("images"),
        runtime=runtime,
        origin={"study": None, "trial": None},
        importance_samples=None,
        reconstruction_interval=1,
        fps=2.0,
    )


@pytest.fixture
def run(data: ImageData, runtime: Runtime) -> TrainingRun:
    return small_run(data, runtime)


@pytest.fixture
def final(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "run")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the pictures and the yardstick, which take seconds; the frames are drawn."""
    for name in ("draw_run_figures", "write_page"):
        monkeypatch.setattr(f"hpo.runs.training_run.{name}", lambda *_: None)
    monkeypatch.setattr("model.scoring.ppca.fit", lambda _: None)
    monkeypatch.setattr("model.scoring.ppca.score", lambda _model, _images, sizes: dict.fromkeys(sizes, 6.0))


def finish(run: TrainingRun, final: RunPaths) -> RunFinished:
    *_, last = execute(run, final)
    assert isinstance(last, RunFinished)
    return last


def stop_after(epoch: int, run: TrainingRun, final: RunPaths) -> None:
    for event in execute(run, final):
        if isinstance(event, EpochMetrics) and event.epoch == epoch:
            return


def epochs_trained(events: list[RunEvent]) -> list[float]:
    return [event.epoch for event in events if isinstance(event, EpochMetrics)]


def table(paths: RunPaths) -> pd.DataFrame:
    return pd.read_csv(paths.metrics_csv).drop(columns=TIMINGS)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_an_interrupted_run_goes_on_and_ends_as_if_never_interrupted(
    run: TrainingRun, tmp_path: Path, epoch: int
) -> None:
    whole, other = RunPaths(tmp_path / "whole"), RunPaths(tmp_path / "other")
    finish(run, whole)
    stop_after(epoch, run, other)
    assert not other.folder.exists(), "nothing is in place before it is whole"
    events = list(execute(run, other))
    assert events[0] == RunStarted(float(epoch), None)
    assert epochs_trained(events) == list(range(epoch + 1, 4))
    pd.testing.assert_frame_equal(table(whole), table(other), check_exact=True)
    assert whole.config.read_bytes() == other.config.read_bytes()
    for frames in ("frames", "samples_frames"):
        names = [path.name for path in sorted(getattr(whole, frames).iterdir())]
        assert len(names) == 4
        for name in names:
            assert (getattr(whole, frames) / name).read_bytes() == (getattr(other, frames) / name).read_bytes()
    assert not other.under_way.folder.exists()
    assert not other.state.exists()


@pytest.mark.usefixtures("undrawn")
def test_a_run_with_other_values_does_not_go_on_from_this_one_and_says_so(run: TrainingRun, final: RunPaths) -> None:
    stop_after(2, run, final)
    other = replace(run, config=replace(SMALL, beta=2.0))
    events = list(execute(other, final))
    assert isinstance(events[0], RunStarted)
    assert events[0].epoch == 0
    assert "had other values" in str(events[0].notice)
    assert epochs_trained(events) == [1, 2, 3]


@pytest.mark.usefixtures("undrawn")
def test_a_damaged_state_sends_the_run_back_to_its_start_and_says_so(run: TrainingRun, final: RunPaths) -> None:
    stop_after(2, run, final)
    final.under_way.state.write_bytes(b"torn")
    events = list(execute(run, final))
    assert isinstance(events[0], RunStarted)
    assert events[0].epoch == 0
    assert "starting over" in str(events[0].notice)
    assert len(table(final)) == 4


@pytest.mark.usefixtures("undrawn")
def test_the_same_run_is_not_trained_twice(run: TrainingRun, final: RunPaths) -> None:
    first = finish(run, final)
    (again,) = execute(replace(run, fps=9.0), final)
    assert isinstance(again, RunFinished)
    assert again.metrics == first.metrics
    assert [row["val_bpd"] for row in again.history] == [row["val_bpd"] for row in first.history]
    assert "already holds this run" in again.notices[0]


@pytest.mark.usefixtures("undrawn")
def test_another_run_is_moved_aside_and_not_deleted(run: TrainingRun, final: RunPaths) -> None:
    finish(run, final)
    before = final.metrics_json.read_bytes()
    finished = finish(replace(run, config=replace(SMALL, beta=2.0)), final)
    (old,) = (path for path in final.folder.parent.iterdir() if path.name.startswith("run-"))
    assert f"{old}" in finished.notices[-1]
    assert (old / final.metrics_json.name).read_bytes() == before
    assert read_record(final.config).training.beta == 2.0


def test_what_is_no_run_of_ours_is_left_alone(run: TrainingRun, final: RunPaths) -> None:
    final.folder.mkdir()
    (final.folder / "holiday.txt").write_text("mine")
    with pytest.raises(RunError, match=r"holds no run .* move the folder away, or name another one"):
        next(execute(run, final))
    assert [path.name for path in final.folder.iterdir()] == ["holiday.txt"]


def test_a_run_is_made_by_one_process_at_a_time(run: TrainingRun, final: RunPaths) -> None:
    with hold_lock(final.lock, "x"), pytest.raises(Busy, match="run: another process is using it"):
        next(execute(run, final))


def test_two_folders_moved_aside_in_one_second_get_names_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    places: set[Path | None] = set()
    for _ in range(3):
        folder.mkdir()
        places.add(move_aside(folder))
    assert len(places) == 3
    assert move_aside(folder) is None


@pytest.mark.usefixtures("undrawn")
def test_the_test_split_is_scored_only_when_asked_and_then_without_training_again(
    run: TrainingRun, final: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        # Whatever reads the test images now fails.
        unseen = replace(run, data=replace(run.data, test=None))  # type: ignore[arg-type]
        counts = {"source": "folder", "n_train": 0, "n_val": 0, "n_test": 0}
        patched.setattr("hpo.runs.metrics.provenance.data_facts", lambda _: counts)
        first = finish(unseen, final)
    tested = {"test_bpd", "test_mse", "test_psnr_db", "test_rate_nats", "test_distortion_nats", "ppca_bpd"}
    tested.add("test_importance_weighted")
    assert {name for name, value in first.metrics.items() if value is None} == tested | {"study", "trial"}
    (again,) = execute(replace(run, importance_samples=4), final)
    assert isinstance(again, RunFinished)
    assert json.loads(final.metrics_json.read_text()) == again.metrics
    assert {name for name in tested if again.metrics[name] is None} == set()
    assert first.metrics | {"data": 0} == again.metrics | dict.fromkeys(tested) | {"data": 0}
    weighted = again.metrics["test_importance_weighted"]
    assert weighted["bpd"] <= weighted["elbo_bpd_of_the_same_images"] == again.metrics["test_bpd"]


@pytest.fixture(scope="module")
def made_once(data: ImageData, runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    paths = RunPaths(tmp_path_factory.mktemp("made_once") / "run")
    finish(small_run(data, runtime), paths)
    return paths


def test_the_page_names_the_folder_in_which_the_finished_run_is(made_once: RunPaths) -> None:
    page = made_once.page.read_text(encoding="utf-8")
    assert f"folder = Path(&#34;{made_once.folder}&#34;)" in page and f"--output {made_once.folder}" in page
    assert made_once.under_way.folder.name not in page


@pytest.fixture
def drawn(made_once: RunPaths, run: TrainingRun, final: RunPaths, monkeypatch: pytest.MonkeyPatch) -> RunPaths:
    """A copy of a finished run of a folder's images, which `redraw` is made to find again."""
    shutil.copytree(made_once.folder, final.folder)
    monkeypatch.setattr("hpo.runs.redraw.load_images", lambda _: (run.data, None))
    return final


def pictures(paths: RunPaths) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths.folder.glob("*.png")}


def test_a_finished_run_is_drawn_again_the_same_from_its_files(drawn: RunPaths) -> None:
    before = pictures(drawn)
    assert len(before) == 8
    for name in before:
        (drawn.folder / name).unlink()
    drawn.page.unlink()
    assert redraw(drawn.folder, None, "cpu") == []
    again = pictures(drawn)
    assert again.keys() == before.keys()
    for name in before:
        assert np.array_equal(pixels(before[name]), pixels(again[name])), name
    assert drawn.page.exists()


def pixels(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_another_pace_changes_the_films_and_is_kept(drawn: RunPaths) -> None:
    redraw(drawn.folder, 10.0, "cpu")
    with Image.open(drawn.animation_gif) as film:
        assert film.info["duration"] == 100
    assert yaml.safe_load(drawn.config.read_text())["fps"] == 10.0


def test_without_saved_frames_the_films_stay_as_they_are(drawn: RunPaths) -> None:
    before = drawn.animation_gif.read_bytes()
    for frame in drawn.frames.iterdir():
        frame.unlink()
    (notice,) = redraw(drawn.folder, 10.0, "cpu")
    assert "no frames are saved here" in notice
    assert drawn.animation_gif.read_bytes() == before
    assert read_record(drawn.config).fps == 2.0


def test_a_run_is_not_drawn_with_images_it_was_not_trained_on(
    drawn: RunPaths, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(run.data, digest="others")
    monkeypatch.setattr("hpo.runs.redraw.load_images", lambda _: (other, None))
    with pytest.raises(RunError, match="was trained on other images"):
        redraw(drawn.folder, None, "cpu")


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (None, "holds no run"),
        ("a: [", "is not the record of a run"),
        ("study: null", "is not the record of a run"),
        ("- a", "is not the record of a run"),
    ],
)
def test_a_folder_without_a_run_is_refused(final: RunPaths, contents: str | None, message: str) -> None:
    final.folder.mkdir()
    if contents:
        final.config.write_text(contents)
    with pytest.raises(RunError, match=message):
        redraw(final.folder, None, "cpu")


def test_frames_come_at_the_interval_and_always_first_and_last() -> None:
    assert frame_epochs(10, 1) == frozenset(range(11))
    assert frame_epochs(10, 4) == {0, 4, 8, 10}
    assert frame_epochs(1, 5) == {0, 1}


def test_frames_spaced_logarithmically_are_dense_at_first_and_few_at_last() -> None:
    epochs = sorted(frame_epochs(1000, "log"))
    assert epochs[:5] == [0, 1, 2, 3, 4]
    assert epochs[-1] == 1000
    assert len(epochs) < 45
    assert epochs[-1] - epochs[-2] > 100
