"""Figure of trials as lines over all searched hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpo.figures.study.trial_marks import hyperparameter_label
from hpo.figures.study.trial_points import SearchAxis, of_kind, shown_trials, with_finite_score
from hpo.figures.style import FAINT, INK, MUTED, PAPER, legend_below, new_figure
from hpo.search.best_trial import BestTrial

# Dark colours mark good scores; the lightest one is still visible on white.
_COLOURS = colormaps["viridis"]
_LIGHTEST = 0.88


@dataclass(frozen=True)
class ParallelCoordinates:
    """Trials as lines over the axes, at positions from 0 to 1: finished ones with their scores, pruned ones without."""

    axes: tuple[SearchAxis, ...]
    finished: tuple[tuple[int, tuple[float, ...], float], ...]
    pruned: tuple[tuple[float, ...], ...]
    best: BestTrial | None


def parallel_coordinates_data(
    trials: pd.DataFrame, axes: tuple[SearchAxis, ...], best: BestTrial | None
) -> ParallelCoordinates:
    """Collect a line for each finished and each pruned trial, of many trials for some hundred."""
    trials = shown_trials(of_kind(trials, "finished", "pruned"), best)
    finished, pruned = with_finite_score(of_kind(trials, "finished")), of_kind(trials, "pruned")
    lines = zip(finished["number"], _positions(finished, axes), finished["val_bpd"], strict=True)
    return ParallelCoordinates(
        axes=axes,
        finished=tuple((int(number), positions, float(score)) for number, positions, score in lines),
        pruned=tuple(_positions(pruned, axes)),
        best=best,
    )


def _positions(trials: pd.DataFrame, axes: tuple[SearchAxis, ...]) -> list[tuple[float, ...]]:
    columns = [[axis.position(value) for value in trials[axis.name]] for axis in axes]
    return [tuple(positions) for positions in zip(*columns, strict=True)]


def draw_parallel_coordinates(data: ParallelCoordinates) -> Figure:
    """Draw a line for each trial across all hyperparameters; finished ones coloured by their scores, dark is better."""
    figure = new_figure("Where the better trials run: dark lines", width_in=13, height_in=6.2)
    axes = figure.subplots()
    x = np.arange(len(data.axes) + 1)
    for positions in data.pruned:
        axes.plot(x[:-1], positions, color=FAINT, lw=1, zorder=1)
    scores = [score for _, _, score in data.finished]
    norm = Normalize(min(scores), max(scores))
    assert data.best is not None, "drawn only if trials have finished"
    for number, positions, score in sorted(data.finished, key=lambda line: -line[2]):
        is_best = number == data.best.number
        badness = float(norm(score)) if max(scores) > min(scores) else 0.0
        look: dict[str, Any] = {"color": _COLOURS(_LIGHTEST * badness), "lw": 3.2 if is_best else 1.4}
        zorder = 3 if is_best else 2
        axes.plot(x, [*positions, 1 - badness], alpha=0.9, zorder=zorder, **look)
    _draw_axes(axes, data, min(scores), max(scores))
    entries = [
        Line2D([], [], color=_COLOURS(0.0), lw=3.2, label=data.best.label),
        Line2D([], [], color=_COLOURS(_LIGHTEST), lw=1.4, label="worst that finished"),
        *([Line2D([], [], color=FAINT, lw=1.5, label="pruned")] if data.pruned else []),
    ]
    legend_below(figure, entries)
    return figure


def _draw_axes(axes: Axes, data: ParallelCoordinates, lowest: float, highest: float) -> None:
    axes.set_xlim(-0.15, len(data.axes) + 0.3)
    axes.set_ylim(-0.06, 1.06)
    axes.axis("off")
    ends = [*map(_ticks, data.axes), [(0.0, f"{highest:.3f}"), (1.0, f"{lowest:.3f}")]]
    names = [*(hyperparameter_label(axis.name) for axis in data.axes), "val_bpd"]
    for x, (name, ticks) in enumerate(zip(names, ends, strict=True)):
        axes.plot([x, x], [0, 1], color=INK, lw=1.4, zorder=3)
        axes.annotate(name, (x, 1.02), (0, 16), textcoords="offset points", ha="center", fontsize=13, color=INK)
        for height, text in ticks:
            box = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1}
            axes.annotate(
                text,
                (x, height),
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
