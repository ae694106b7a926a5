"""Figure of the learning curves of a study's trials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpo.figures.study.trial_marks import BITS, FAULTY, MAX_VECTOR_LINES, cut_off
from hpo.figures.study.trial_points import ceiling
from hpo.figures.style import BLUE, INK, MUTED, ORANGE, SKY, VERMILLION, dress, legend_below, new_figure
from hpo.search.best_trial import BestTrial


def draw_learning_curves(data: Learning) -> Figure:
    """Draw every trial's score over its epochs; a cross marks the end of a pruned trial."""
    figure = new_figure(_learning_headline(data), width_in=13, height_in=7.4)
    axes = figure.subplots()
    dress(axes, "lower is better; each trial from its first report", "epoch", BITS)
    best = data.best.number if data.best else None
    for line in data.lines:
        _draw_line(axes, line, is_best=line.number == best, flat=len(data.lines) > MAX_VECTOR_LINES)
    cut_off(axes, data.ceiling)
    axes.set_xlim(left=0)
    looks = {"finished": (SKY, "-", ""), "pruned": (ORANGE, "-", "x"), FAULTY: (MUTED, ":", "")}
    kinds = {line.kind if line.kind in looks else "" if line.kind == "running" else FAULTY for line in data.lines}
    entries = [
        Line2D([], [], color=colour, ls=style, marker=mark, mec=VERMILLION, mew=2, label=kind)
        for kind, (colour, style, mark) in looks.items()
        if kind in kinds
    ]
    if "" in kinds:
        entries.append(Line2D([], [], color=INK, ls="--", lw=1, label="under way"))
    if data.best is not None:
        entries.insert(0, Line2D([], [], color=BLUE, lw=3, label=data.best.label))
    legend_below(figure, entries)
    return figure


def _learning_headline(data: Learning) -> str:
    n_pruned = sum(line.kind == "pruned" for line in data.lines)
    return f"{n_pruned} of {len(data.lines)} trials were stopped early (×)"


def _draw_line(axes: Axes, line: Line, is_best: bool, flat: bool) -> None:
    look: dict[str, Any] = {
        "finished": {"color": SKY, "lw": 1.4, "zorder": 2},
        "pruned": {"color": ORANGE, "lw": 1.2, "alpha": 0.8, "zorder": 2},
        "running": {"color": INK, "lw": 1, "ls": "--", "zorder": 3},
    }.get(line.kind, {"color": MUTED, "lw": 1, "ls": ":", "zorder": 1})
    if is_best:
        look = {"color": BLUE, "lw": 3, "zorder": 4}
    # A single report would have no line.
    dot = "o" if len(line.epochs) == 1 and line.kind != "pruned" else ""
    axes.plot(line.epochs, line.scores, marker=dot, ms=4, rasterized=flat, **look)
    if line.kind == "pruned":
        axes.plot(line.epochs[-1], line.scores[-1], "x", color=VERMILLION, ms=8, mew=2, zorder=3)


Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Line:
    """Reports of one trial."""

    number: int
    kind: str
    epochs: tuple[float, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Learning:
    """Learning curves of all trials."""

    lines: tuple[Line, ...]
    best: BestTrial | None
    ceiling: float | None


def learning_data(trials: pd.DataFrame, curves: Mapping[int, Curve], best: BestTrial | None) -> Learning:
    """Collect the trials of the search that reported; `curves` hold (epoch, score) by trial number.

    One that another continues is drawn with that one.
    """
    lines = []
    for number, kind in zip(trials["number"], trials["kind"], strict=True):
        points = [point for point in curves[number] if math.isfinite(point[1])]
        if points and kind not in ("continued", "confirmation"):
            epochs, scores = zip(*points, strict=True)
            lines.append(Line(int(number), str(kind), epochs, scores))
    every = [score for line in lines for score in line.scores]
    return Learning(tuple(lines), best, ceiling(every))
