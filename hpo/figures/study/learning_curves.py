"""Figure of the learning curves of a study's trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpo.figures.study.trial_marks import BITS, FAULTY, cut_off
from hpo.figures.study.trial_points import of_kind, score_ceiling, shown_trials
from hpo.figures.style import BLUE, INK, MUTED, ORANGE, SKY, VERMILLION, legend_below, new_figure, style_axes
from hpo.search.best_trial import MarkedTrial


@dataclass(frozen=True)
class LearningCurve:
    """Reports of one trial."""

    number: int
    kind: str
    epochs: tuple[float, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class LearningCurves:
    """Learning curves of some hundred trials; `n_trials` have one, of which `n_pruned` were pruned."""

    curves: tuple[LearningCurve, ...]
    best: MarkedTrial | None
    ceiling: float | None
    n_trials: int
    n_pruned: int


def learning_curves_data(
    trials: pd.DataFrame, reports: Mapping[int, Sequence[tuple[float, float]]], best: MarkedTrial | None
) -> LearningCurves:
    """Collect trials of the search that reported; `reports` are (epoch, score) by trial number.

    A trial that another one continues is part of the curve of that one.
    """
    curves = []
    with_curve = [number for number in trials["number"] if any(math.isfinite(score) for _, score in reports[number])]
    is_part = trials["kind"].isin(["continued", "confirmation"])
    searched = trials[trials["number"].isin(with_curve) & ~is_part]
    shown = shown_trials(searched, best)
    for number, kind in zip(shown["number"], shown["kind"], strict=True):
        points = [point for point in reports[number] if math.isfinite(point[1])]
        epochs, scores = zip(*points, strict=True)
        curves.append(LearningCurve(int(number), str(kind), epochs, scores))
    ceiling = score_ceiling(score for curve in curves for score in curve.scores)
    return LearningCurves(tuple(curves), best, ceiling, len(searched), len(of_kind(searched, "pruned")))


def draw_learning_curves(data: LearningCurves) -> Figure:
    """Draw every trial's score over its epochs; a cross marks the end of a pruned trial."""
    figure = new_figure(_headline(data), width_in=13, height_in=7.4)
    axes = figure.subplots()
    style_axes(axes, "lower is better; each trial from its first report", "epoch", BITS)
    best = data.best.number if data.best else None
    for curve in data.curves:
        _draw_curve(axes, curve, is_best=curve.number == best)
    cut_off(axes, data.ceiling)
    axes.set_xlim(left=0)
    looks = {"finished": (SKY, "-", ""), "pruned": (ORANGE, "-", "x"), FAULTY: (MUTED, ":", "")}
    kinds = {curve.kind if curve.kind in looks else "" if curve.kind == "running" else FAULTY for curve in data.curves}
    entries = [
        Line2D([], [], color=colour, ls=style, marker=mark, mec=VERMILLION, mew=2, label=kind)
        for kind, (colour, style, mark) in looks.items()
        if kind in kinds
    ]
    if "" in kinds:
        entries.append(Line2D([], [], color=INK, ls="--", lw=1, label="running"))
    if data.best is not None and data.best.number in {curve.number for curve in data.curves}:
        entries.insert(0, Line2D([], [], color=BLUE, lw=3, label=data.best.label))
    legend_below(figure, entries)
    return figure


def _headline(data: LearningCurves) -> str:
    return f"{data.n_pruned} of {data.n_trials} trials were stopped early (×)"


def _draw_curve(axes: Axes, curve: LearningCurve, is_best: bool) -> None:
    look: dict[str, Any] = {
        "finished": {"color": SKY, "lw": 1.4, "zorder": 2},
        "pruned": {"color": ORANGE, "lw": 1.2, "alpha": 0.8, "zorder": 2},
        "running": {"color": INK, "lw": 1, "ls": "--", "zorder": 3},
    }.get(curve.kind, {"color": MUTED, "lw": 1, "ls": ":", "zorder": 1})
    if is_best:
        look = {"color": BLUE, "lw": 3, "zorder": 4}
    # A single report makes no line.
    dot = "o" if len(curve.epochs) == 1 and curve.kind != "pruned" else ""
    axes.plot(curve.epochs, curve.scores, marker=dot, ms=4, **look)
    if curve.kind == "pruned":
        axes.plot(curve.epochs[-1], curve.scores[-1], "x", color=VERMILLION, ms=8, mew=2, zorder=3)
