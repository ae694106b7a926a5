"""Style and saving of figures: round marks on axes, equal bytes, earlier files kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from hpo.figures.run import samples
from hpo.figures.run.kl_per_dimension import draw_kl_per_dimension, kl_per_dimension_data
from hpo.figures.study.score_history import draw_score_history, score_history_data
from hpo.figures.style import as_svg, mark_values
from tests.figures.pictures import images
from tests.figures.study.trials import BEST, TRIALS


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0.51, 1.86, [0.7, 1, 1.5]),
        (0.3, 3.0, [0.5, 1, 2]),
        (16.0, 256.0, [20, 50, 100, 200]),
        (1e-4, 1e-2, [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]),
        (1e-4, 10.0, [1e-4, 1e-3, 1e-2, 0.1, 1, 10]),
    ],
)
def test_a_logarithmic_axis_has_few_round_marks(low: float, high: float, marks: list[float]) -> None:
    axes = Figure().subplots()
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    mark_values(axes.xaxis, low, high, log=True)
    assert axes.get_xticks().tolist() == pytest.approx(marks)


def test_a_users_settings_of_matplotlib_do_not_change_a_picture(tmp_path: Path) -> None:
    data = kl_per_dimension_data(np.array([3.0, 0.5]), np.array([1.0, 0.1]))
    draw_kl_per_dimension(data, tmp_path / "default.png")
    with rc_context({"text.usetex": True, "savefig.dpi": 20, "font.size": 40, "axes.facecolor": "black"}):
        draw_kl_per_dimension(data, tmp_path / "with settings.png")
    assert (tmp_path / "with settings.png").read_bytes() == (tmp_path / "default.png").read_bytes()


def test_drawing_twice_gives_the_same_bytes() -> None:
    first, second = (as_svg(draw_score_history(score_history_data(TRIALS, BEST))) for _ in range(2))
    assert first == second


def test_a_failed_write_leaves_the_earlier_picture_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half_written(_: object, path: Path, **options: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "samples.png"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(Image.Image, "save", half_written)
    with pytest.raises(OSError, match="No space left"):
        samples.draw_samples(images(8), images(8), 10, path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"earlier"]
