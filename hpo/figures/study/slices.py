"""Figure of scores against each searched hyperparameter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpo.figures.study.trial_marks import BITS, cut_off, draw_trials, hyperparameter_label
from hpo.figures.study.trial_points import SearchAxis, TrialPoints, of_kind, score_ceiling, shown_trials, trial_points
from hpo.figures.style import BLUE, INK, PAPER, VERMILLION, legend_below, mark_values, new_figure, style_axes
from hpo.search.best_trial import BestTrial

_MAX_COLUMNS = 3
_FINISHED: dict[str, Any] = {"marker": "o", "s": 46, "color": BLUE, "edgecolors": PAPER, "zorder": 3}
_PRUNED: dict[str, Any] = {"marker": "x", "s": 36, "color": VERMILLION, "alpha": 0.55, "zorder": 2}


@dataclass(frozen=True)
class Slices:
    """Scores against each searched hyperparameter: (axis, finished trials, pruned trials at their last report)."""

    panels: tuple[tuple[SearchAxis, TrialPoints, TrialPoints], ...]
    best: BestTrial | None
    ceiling: float | None


def slices_data(trials: pd.DataFrame, axes: tuple[SearchAxis, ...], best: BestTrial | None) -> Slices:
    """Collect a panel for each hyperparameter, of many trials with some hundred."""
    trials = shown_trials(of_kind(trials, "finished", "pruned"), best)
    finished, pruned = of_kind(trials, "finished"), of_kind(trials, "pruned")
    panels = tuple((axis, trial_points(finished, axis.name), trial_points(pruned, axis.name)) for axis in axes)
    scores = trial_points(trials, "number").scores
    return Slices(panels, best, score_ceiling(scores))


def draw_slices(data: Slices) -> Figure:
    """Draw a panel for each hyperparameter: finished trials, pruned ones faintly, the best in a ring."""
    n_columns = min(_MAX_COLUMNS, len(data.panels)) if len(data.panels) != 4 else 2
    n_rows = math.ceil(len(data.panels) / n_columns)
    figure = new_figure(_headline(data), width_in=13, height_in=1.2 + 4.1 * n_rows)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for axes, (axis, finished, pruned) in zip(grid.flat, data.panels, strict=False):
        style_axes(axes, hyperparameter_label(axis.name), "", BITS if axes in grid[:, 0] else "")
        _scale(axes, axis)
        _draw_marks(axes, axis, finished, data.ceiling, "finished", **_FINISHED)
        _draw_marks(axes, axis, pruned, data.ceiling, "pruned, at its last report", **_PRUNED)
        _ring_the_best(axes, axis, finished, data.best)
    # The panels share this axis.
    cut_off(grid.flat[0], data.ceiling)
    for axes in list(grid.flat)[len(data.panels) :]:
        axes.remove()
    legend_below(figure, grid.flat[0].get_legend_handles_labels()[0])
    return figure


def _headline(data: Slices) -> str:
    assert data.best is not None, "drawn only if trials have finished"
    return f"In a ring the {data.best.label}, {data.best.score:.3f}"


def _scale(axes: Axes, axis: SearchAxis) -> None:
    if axis.choices:
        axes.set_xticks(range(len(axis.choices)), [f"{choice}" for choice in axis.choices])
        axes.set_xlim(-0.5, len(axis.choices) - 0.5)
        return
    margin = 0.03
    if axis.log:
        axes.set_xscale("log")
        factor = (axis.high / axis.low) ** margin
        axes.set_xlim(axis.low / factor, axis.high * factor)
    else:
        axes.set_xlim(axis.low - margin * (axis.high - axis.low), axis.high + margin * (axis.high - axis.low))
    mark_values(axes.xaxis, axis.low, axis.high, axis.log)


def _draw_marks(
    axes: Axes, axis: SearchAxis, points: TrialPoints, ceiling: float | None, name: str, **look: Any
) -> None:
    """Draw trials at their values; those of one choice side by side, in their order."""
    x = tuple(_x(axis, value, number) for number, value in zip(points.numbers, points.positions, strict=True))
    draw_trials(axes, TrialPoints(points.numbers, x, points.scores), ceiling, name, **look)


def _x(axis: SearchAxis, value: Any, number: int) -> float:
    """Return a trial's position on the axis; among choices around the choice's tick, so that few trials hide others.

    There each trial is a golden section of the width away from the trial before.
    """
    if not axis.choices:
        return float(value)
    return axis.choices.index(value) + 0.3 * (2 * ((0.618 * number) % 1) - 1)


def _ring_the_best(axes: Axes, axis: SearchAxis, finished: TrialPoints, best: BestTrial | None) -> None:
    if best is None:
        return
    index = finished.numbers.index(best.number)
    x = _x(axis, finished.positions[index], best.number)
    ring: dict[str, Any] = {"mfc": "none", "mec": INK, "mew": 2, "clip_on": False, "label": best.label}
    axes.plot(x, finished.scores[index], "o", ms=13, linestyle="", **ring)
