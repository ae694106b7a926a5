"""Figure of a training's curves."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from hpo.figures import style
from hpo.figures.run import loss_curves
from tests.figures.pictures import run_history


def test_curves_leave_out_the_untrained_row_and_keep_its_value_apart() -> None:
    score = loss_curves.loss_curves_data(run_history([8.4, 6.9, 6.5, 6.6])).panels[0]
    assert score == loss_curves.Panel(
        "Score",
        "bits/dim",
        ".3f",
        (
            loss_curves.MetricCurve("train", (1.0, 2.0, 3.0), (6.9 - 0.1, 6.5 - 0.1, 6.6 - 0.1)),
            loss_curves.MetricCurve("validation", (1.0, 2.0, 3.0), (6.9, 6.5, 6.6)),
        ),
        untrained=8.4,
    )


@pytest.mark.parametrize(
    ("scores", "best", "last"),
    [
        ([8.4, 6.9, 6.5, 6.6], (2.0, 6.5), (3.0, 6.6)),
        ([6.0, 6.9, 6.5], (2.0, 6.5), (2.0, 6.5)),
        ([8.4, 6.9, 6.5, math.nan], (2.0, 6.5), None),
    ],
    ids=["best before the end", "untrained below the rest", "ends in NaN"],
)
def test_best_and_last_epoch(scores: list[float], best: tuple[float, float], last: tuple[float, float] | None) -> None:
    data = loss_curves.loss_curves_data(run_history(scores))
    assert (data.best, data.last, data.last_epoch) == (best, last, len(scores) - 1)


def test_curves_of_a_run_without_an_untrained_row_are_the_same() -> None:
    table = run_history([8.4, 6.9, 6.5])
    with_row, without_row = loss_curves.loss_curves_data(table), loss_curves.loss_curves_data(table[1:])
    assert [panel.curves for panel in with_row.panels] == [panel.curves for panel in without_row.panels]
    assert [panel.untrained for panel in without_row.panels] == [None] * 4


@pytest.mark.parametrize(("last", "written"), [(1.3e-11, "0"), (2e-4, "0.0002"), (1e-3, "0.001")])
def test_a_tiny_last_learning_rate_is_written_as_zero(last: float, written: str) -> None:
    table = run_history([8.4, 6.9, 6.5]).assign(learning_rate=[math.nan, 1e-3, last])
    panel = loss_curves.loss_curves_data(table).panels[-1]
    assert loss_curves.panel_title(panel) == f"Learning rate: at most 0.001, {written} at the end"


@pytest.mark.parametrize(
    "scores",
    [[8.4], [8.4, 6.9], [8.4, math.nan, math.nan], [math.nan, 6.9, math.inf], [8.4, *[6.6] * 60]],
    ids=["untrained only", "one epoch", "no score", "ends in infinity", "sixty epochs"],
)
def test_loss_curves_render_for(scores: list[float], tmp_path: Path) -> None:
    loss_curves.draw_loss_curves(run_history(scores), tmp_path / "loss_curves.png")
    with Image.open(tmp_path / "loss_curves.png") as picture:
        assert picture.size == (13 * style.DPI, 8.4 * style.DPI)


@pytest.mark.parametrize("scores", [[8.4, *[6.6] * 8], [8.4, 6.9, 6.8, 6.75, 6.7], [8.4, 6.5, 6.6, 6.9]])
def test_no_legend_lies_on_a_curve(scores: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(loss_curves, "save_figure", lambda figure, _: figures.append(figure))
    loss_curves.draw_loss_curves(run_history(scores), tmp_path / "loss_curves.png")
    (figure,) = figures
    figure.draw_without_rendering()
    with_legend = [(axes, legend.get_window_extent()) for axes in figure.axes if (legend := axes.get_legend())]
    assert len(with_legend) == 3
    for axes, box in with_legend:
        for line in axes.get_lines():
            points = axes.transData.transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
            assert not any(box.contains(x, y) for x, y in points)
