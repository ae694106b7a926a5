"""Curves of one training: their data, titles and drawing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from PIL import Image

from hpo.figures import style
from hpo.figures.run import (
    loss_curves,
)
from tests.figures.pictures import run_history


def test_curves_leave_out_the_untrained_row_and_tell_its_value() -> None:
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


def test_best_and_last_epoch_are_told_apart() -> None:
    data = loss_curves.loss_curves_data(run_history([8.4, 6.9, 6.5, 6.6]))
    assert (data.best, data.last) == ((2.0, 6.5), (3.0, 6.6))


def test_an_untrained_score_below_the_rest_is_never_the_best() -> None:
    assert loss_curves.loss_curves_data(run_history([6.0, 6.9, 6.5])).best == (2.0, 6.5)


def test_a_run_that_ends_in_nan_has_a_best_epoch_but_no_last_score() -> None:
    data = loss_curves.loss_curves_data(run_history([8.4, 6.9, 6.5, math.nan]))
    assert (data.best, data.last, data.last_epoch) == ((2.0, 6.5), None, 3.0)


def test_curves_of_a_run_without_an_untrained_row_are_the_same() -> None:
    table = run_history([8.4, 6.9, 6.5])
    with_row, without_row = loss_curves.loss_curves_data(table), loss_curves.loss_curves_data(table[1:])
    assert [panel.curves for panel in with_row.panels] == [panel.curves for panel in without_row.panels]
    assert [panel.untrained for panel in without_row.panels] == [None] * 4


@pytest.mark.parametrize(("last", "shown"), [(1.3e-11, "0"), (2e-4, "0.0002"), (1e-3, "0.001")])
def test_a_learning_rate_that_fell_to_nothing_ends_at_zero(last: float, shown: str) -> None:
    table = run_history([8.4, 6.9, 6.5]).assign(learning_rate=[math.nan, 1e-3, last])
    panel = loss_curves.loss_curves_data(table).panels[-1]
    assert loss_curves.panel_title(panel) == f"Learning rate: at most 0.001, {shown} at the end"


@pytest.mark.parametrize(
    "scores",
    [[8.4], [8.4, 6.9], [8.4, math.nan, math.nan], [math.nan, 6.9, math.inf], [8.4, *[6.6] * 60]],
    ids=["untrained only", "one epoch", "no score", "ends in infinity", "sixty epochs"],
)
def test_loss_curves_render_for(scores: list[float], tmp_path: Path) -> None:
    loss_curves.draw_loss_curves(run_history(scores), tmp_path / "loss_curves.png")
    with Image.open(tmp_path / "loss_curves.png") as picture:
        assert picture.size == (13 * style.DPI, 8.4 * style.DPI)
