"""Figure of scores against each searched hyperparameter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpo.figures.study.trial_marks import BITS, cut_off, hyperparameter_label, scatter
from hpo.figures.study.trial_points import Points, SearchAxis, ceiling, of_kind, trial_points
from hpo.figures.style import BLUE, INK, PAPER, VERMILLION, dress, legend_below, mark_values, new_figure
from hpo.search.best_trial import BestTrial

_MAX_COLUMNS = 3
_FINISHED: dict[str, Any] = {"marker": "o", "s": 46, "color": BLUE, "edgecolors": PAPER, "zorder": 3}
_PRUNED: dict[str, Any] = {"marker": "x", "s": 36, "color": VERMILLION, "alpha": 0.55, "zorder": 2}


def draw_slices(data: Slices) -> Figure:
    """Draw a panel for each hyperparameter: finished trials, pruned ones faintly, the best in a ring."""
    n_columns = min(_MAX_COLUMNS, len(data.panels)) if len(data.panels) != 4 else 2
    n_rows = math.ceil(len(data.panels) / n_columns)
    figure = new_figure(_headline(data), width_in=13, height_in=1.2 + 4.1 * n_rows)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for axes, (axis, finished, pruned) in zip(grid.flat, data.panels, strict=False):
        dress(axes, hyperparameter_label(axis.name), "", BITS if axes in grid[:, 0] else "")
        _scale(axes, axis)
        cut_off(axes, data.ceiling)
        _draw_marks(axes, axis, finished, data.ceiling, "finished", **_FINISHED)
        _draw_marks(axes, axis, pruned, data.ceiling, "pruned, at its last report", **_PRUNED)
        _ring_the_best(axes, axis, finished, data.best)
    for axes in list(grid.flat)[len(data.panels) :]:
        axes.remove()
    legend_below(figure, grid.flat[0].get_legend_handles_labels()[0])
    return figure


def _headline(data: Slices) -> str:
    assert data.best is not None, "slices are drawn of finished trials"
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


def _draw_marks(axes: Axes, axis: SearchAxis, points: Points, ceiling: float | None, name: str, **look: Any) -> None:
    """Draw trials at their values; those of one choice side by side, in their order."""
    places = points.places
    if axis.choices:
        places = tuple(_choice_place(axis, place, number) for number, place in zip(points.numbers, places, strict=True))
    scatter(axes, Points(points.numbers, places, points.scores), ceiling, name, **look)


def _choice_place(axis: SearchAxis, choice: Any, number: int) -> float:
    """Return a position around the choice's tick, spread by the golden ratio, so that few trials hide one another."""
    return axis.choices.index(choice) + 0.3 * (2 * ((0.618 * number) % 1) - 1)


def _ring_the_best(axes: Axes, axis: SearchAxis, finished: Points, best: BestTrial | None) -> None:
    if best is None:
        return
    index = finished.numbers.index(best.number)
    place = finished.places[index]
    if axis.choices:
        place = _choice_place(axis, place, best.number)
    ring: dict[str, Any] = {"mfc": "none", "mec": INK, "mew": 2, "clip_on": False, "label": best.label}
    axes.plot(place, finished.scores[index], "o", ms=13, linestyle="", **ring)


@dataclass(frozen=True)
class Slices:
    """Scores against each searched hyperparameter: (axis, finished trials, pruned trials at their last report)."""

    panels: tuple[tuple[SearchAxis, Points, Points], ...]
    best: BestTrial | None
    ceiling: float | None


def slice_data(trials: pd.DataFrame, axes: tuple[SearchAxis, ...], best: BestTrial | None) -> Slices:
    """Collect a panel for each hyperparameter."""
    finished, pruned = of_kind(trials, "finished"), of_kind(trials, "pruned")
    panels = tuple((axis, trial_points(finished, axis.name), trial_points(pruned, axis.name)) for axis in axes)
    return Slices(panels, best, ceiling(trial_points(of_kind(trials, "finished", "pruned"), "number").scores))
