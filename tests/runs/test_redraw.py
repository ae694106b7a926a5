"""Finished runs that are redrawn from their files."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from hpo.runs.drawing_steps import DrawingStarted
from hpo.runs.full_length_run import TrainingRun
from hpo.runs.redraw import redraw
from hpo.storage.paths import RunPaths
from hpo.storage.run_record import RunError, read_record
from model.data.images import ImageData
from model.device import Runtime
from tests.tools.small_run import finish, small_run


@pytest.fixture(scope="module")
def drawn_once(few_images: ImageData, runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """A finished run with all figures, in the folder drawn/ of its working folder, which no test may change."""
    working_folder = tmp_path_factory.mktemp("drawn_once")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(working_folder)
        finish(small_run(few_images, runtime), RunPaths(Path("drawn/run")))
    return RunPaths(working_folder / "drawn" / "run")


@pytest.fixture
def drawn(drawn_once: RunPaths, run: TrainingRun, final: RunPaths, monkeypatch: pytest.MonkeyPatch) -> RunPaths:
    """A copy of the finished run, whose images are found again."""
    shutil.copytree(drawn_once.folder, final.folder)
    monkeypatch.setattr("hpo.runs.redraw.load_images", lambda _: (run.data, None))
    return final


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out figures and page, which take seconds."""
    for name, result in (("run_drawings", {}), ("write_page", None)):
        monkeypatch.setattr(f"hpo.runs.redraw.{name}", lambda *_, result=result: result)


def pixels_of(paths: RunPaths) -> dict[str, NDArray[np.uint8]]:
    """Return every figure of a run."""
    return {path.name: np.asarray(Image.open(io.BytesIO(path.read_bytes()))) for path in paths.folder.glob("*.png")}


def test_the_page_names_the_folder_of_the_finished_run(drawn_once: RunPaths) -> None:
    page = drawn_once.page.read_text(encoding="utf-8")
    assert "folder = Path(&#34;drawn/run&#34;)" in page and "--output drawn/run" in page
    assert drawn_once.under_way.folder.name not in page


def test_redrawn_figures_are_equal_to_the_first_ones(drawn: RunPaths) -> None:
    first = pixels_of(drawn)
    assert len(first) == 9
    for name in first:
        (drawn.folder / name).unlink()
    drawn.page.unlink()
    assert all(isinstance(event, DrawingStarted) for event in redraw(drawn.folder, None, "cpu"))
    again = pixels_of(drawn)
    assert again.keys() == first.keys()
    for name in first:
        assert np.array_equal(first[name], again[name]), name
    assert drawn.page.exists()


@pytest.mark.usefixtures("without_figures")
def test_another_frame_rate_changes_the_animations_and_is_recorded(drawn: RunPaths) -> None:
    list(redraw(drawn.folder, 10.0, "cpu"))
    with Image.open(drawn.animation_gif) as animation:
        assert animation.info["duration"] == 100
    assert yaml.safe_load(drawn.config.read_text())["fps"] == 10.0


@pytest.mark.usefixtures("without_figures")
def test_without_saved_frames_the_animations_are_not_changed(drawn: RunPaths) -> None:
    animation = drawn.animation_gif.read_bytes()
    shutil.rmtree(drawn.frames)
    *_, notice = redraw(drawn.folder, 10.0, "cpu")
    assert "no frames are saved here" in str(notice)
    assert drawn.animation_gif.read_bytes() == animation
    assert read_record(drawn.config).fps == 2.0


def test_a_run_is_not_redrawn_with_other_images(
    drawn: RunPaths, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.runs.redraw.load_images", lambda _: (replace(run.data, digest="others"), None))
    with pytest.raises(RunError, match="was trained on other images"):
        list(redraw(drawn.folder, None, "cpu"))


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
        list(redraw(final.folder, None, "cpu"))
