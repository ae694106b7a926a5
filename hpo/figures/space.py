"""The search space in two figures: scores against each hyperparameter, and trials as lines over all of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpo.best import Best
from hpo.figures.study import BITS, MAX_VECTOR_LINES, cut_off, label, scatter
from hpo.figures.study_data import Parallel, Points, SearchAxis, Slices
from hpo.figures.style import BLUE, FAINT, INK, MUTED, PAPER, VERMILLION, dress, legend_below, mark_values, new_figure

_MAX_COLUMNS = 3
# Dark is good, and its light end still shows on white paper.
_COLOURS = colormaps["viridis"]
_LIGHTEST = 0.88
_FINISHED: dict[str, Any] = {"marker": "o", "s": 46, "color": BLUE, "edgecolors": PAPER, "zorder": 3}
_PRUNED: dict[str, Any] = {"marker": "x", "s": 36, "color": VERMILLION, "alpha": 0.55, "zorder": 2}


def slices(data: Slices) -> Figure:
    """A panel for each hyperparameter: finished trials, pruned ones faintly, the best in a ring."""
    n_columns = min(_MAX_COLUMNS, len(data.panels)) if len(data.panels) != 4 else 2
    n_rows = math.ceil(len(data.panels) / n_columns)
    figure = new_figure(_headline(data), width_in=13, height_in=1.2 + 4.1 * n_rows)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for axes, (axis, finished, pruned) in zip(grid.flat, data.panels, strict=False):
        dress(axes, label(axis.name), "", BITS if axes in grid[:, 0] else "")
        _scale(axes, axis)
        cut_off(axes, data.ceiling)
        _draw_marks(axes, axis, finished, data.ceiling, "finished", **_FINISHED)
        _draw_marks(axes, axis, pruned, data.ceiling, "pruned, at its last report", **_PRUNED)
        _ring_the_best(axes, axis, finished, data.best)
    for axes in list(grid.flat)[len(data.panels) :]:
        axes.remove()
    legend_below(figure, grid.flat[0].get_legend_handles_labels()[0])
    return figure


def parallel(data: Parallel) -> Figure:
    """A line for each trial across all hyperparameters; finished ones coloured by their scores, dark is better."""
    figure = new_figure("Where the better trials run: dark lines", width_in=13, height_in=6.2)
    axes = figure.subplots()
    places, flat = np.arange(len(data.axes) + 1), len(data.finished) + len(data.pruned) > MAX_VECTOR_LINES
    for positions in data.pruned:
        axes.plot(places[:-1], positions, color=FAINT, lw=1, zorder=1, rasterized=flat)
    scores = [score for _, _, score in data.finished]
    norm = Normalize(min(scores), max(scores))
    assert data.best is not None, "drawn of finished trials"
    for number, positions, score in sorted(data.finished, key=lambda line: -line[2]):
        is_best = number == data.best.number
        place = float(norm(score)) if max(scores) > min(scores) else 0.0
        look: dict[str, Any] = {"color": _COLOURS(_LIGHTEST * place), "lw": 3.2 if is_best else 1.4}
        axes.plot(places, [*positions, 1 - place], alpha=0.9, zorder=3 if is_best else 2, rasterized=flat, **look)
    _draw_axes(axes, data, min(scores), max(scores))
    entries = [
        Line2D([], [], color=_COLOURS(0.0), lw=3.2, label=data.best.label),
        Line2D([], [], color=_COLOURS(_LIGHTEST), lw=1.4, label="worst that finished"),
        *([Line2D([], [], color=FAINT, lw=1.5, label="pruned")] if data.pruned else []),
    ]
    legend_below(figure, entries)
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
    """Trials at their values; those of one choice stand side by side, in their order."""
    places = points.places
    if axis.choices:
        places = tuple(_choice_place(axis, place, number) for number, place in zip(points.numbers, places, strict=True))
    scatter(axes, Points(points.numbers, places, points.scores), ceiling, name, **look)


def _choice_place(axis: SearchAxis, choice: Any, number: int) -> float:
    """Around the choice's tick, each trial a golden section from the one before, so that few hide one another."""
    return axis.choices.index(choice) + 0.3 * (2 * ((0.618 * number) % 1) - 1)


def _ring_the_best(axes: Axes, axis: SearchAxis, finished: Points, best: Best | None) -> None:
    if best is None:
        return
    index = finished.numbers.index(best.number)
    place = finished.places[index]
    if axis.choices:
        place = _choice_place(axis, place, best.number)
    ring: dict[str, Any] = {"mfc": "none", "mec": INK, "mew": 2, "clip_on": False, "label": best.label}
    axes.plot(place, finished.scores[index], "o", ms=13, linestyle="", **ring)


def _draw_axes(axes: Axes, data: Parallel, lowest: float, highest: float) -> None:
    axes.set_xlim(-0.15, len(data.axes) + 0.3)
    axes.set_ylim(-0.06, 1.06)
    axes.axis("off")
    ends = [*map(_ticks, data.axes), [(0.0, f"{highest:.3f}"), (1.0, f"{lowest:.3f}")]]
    names = [*(label(axis.name) for axis in data.axes), "val_bpd"]
    for place, (name, ticks) in enumerate(zip(names, ends, strict=True)):
        axes.plot([place, place], [0, 1], color=INK, lw=1.4, zorder=3)
        axes.annotate(name, (place, 1.02), (0, 16), textcoords="offset points", ha="center", fontsize=13, color=INK)
        for height, text in ticks:
            box = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1}
            axes.annotate(
                text,
                (place, height),
                (7, 0),
                textcoords="offset points",
                va="center",
                fontsize=11,
                color=MUTED,
                bbox=box,
                zorder=4,
            )


def _ticks(axis: SearchAxis) -> list[tuple[float, str]]:
    values = axis.choices or (axis.low, axis.high)
    return [(axis.position(value), f"{value:g}" if isinstance(value, float) else f"{value}") for value in values]
