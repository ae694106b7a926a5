"""Figure of the scores of all trials in their order."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hpo.figures.study.trial_marks import BITS, FAULTY, cut_off, draw_trials
from hpo.figures.study.trial_points import TrialPoints, of_kind, score_ceiling, trial_points
from hpo.figures.style import BLUE, INK, MUTED, PAPER, VERMILLION, legend_below, new_figure, style_axes
from hpo.search.best_trial import BestTrial


@dataclass(frozen=True)
class ScoreHistory:
    """Trials in their order. `best_so_far` are the (number, score) at which the lowest score changed.

    Scores above `ceiling` would squeeze the others together; None if there are none.
    """

    finished: TrialPoints
    pruned: TrialPoints
    faulty: TrialPoints
    best_so_far: tuple[tuple[int, float], ...]
    best: BestTrial | None
    ceiling: float | None


def score_history_data(trials: pd.DataFrame, best: BestTrial | None) -> ScoreHistory:
    """Collect every trial's last score, and the improvements of the lowest finished one."""
    best_so_far: list[tuple[int, float]] = []
    finished = trial_points(of_kind(trials, "finished"), "number")
    for number, score in zip(finished.numbers, finished.scores, strict=True):
        if not best_so_far or score < best_so_far[-1][1]:
            best_so_far.append((number, score))
    pruned = trial_points(of_kind(trials, "pruned"), "number")
    faulty = trial_points(of_kind(trials, "diverged", "out of memory", "failed"), "number")
    ceiling = score_ceiling(finished.scores + pruned.scores + faulty.scores)
    return ScoreHistory(finished, pruned, faulty, tuple(best_so_far), best, ceiling)


def draw_score_history(data: ScoreHistory) -> Figure:
    """Draw every trial's score by number, the lowest so far as a step line, and a ring around the best."""
    figure = new_figure(_headline(data), width_in=13, height_in=6.4)
    axes = figure.subplots()
    style_axes(axes, "lower is better", "trial", BITS)
    draw_trials(axes, data.finished, data.ceiling, "finished", marker="o", s=55, color=BLUE, edgecolors=PAPER, zorder=3)
    draw_trials(axes, data.pruned, data.ceiling, "pruned, at its last report", marker="x", s=45, color=VERMILLION)
    draw_trials(axes, data.faulty, data.ceiling, FAULTY, marker="s", s=40, facecolors="none", edgecolors=MUTED)
    if data.best:
        _draw_best_so_far(axes, data)
        _ring(axes, data.best)
    cut_off(axes, data.ceiling)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return figure


def _headline(data: ScoreHistory) -> str:
    counts = f"{len(data.finished.numbers)} trials finished, {len(data.pruned.numbers)} pruned"
    if not data.best:
        return f"No trial has finished yet: {len(data.pruned.numbers)} pruned, {len(data.faulty.numbers)} faulty"
    return f"{data.best.label[0].upper()}{data.best.label[1:]} with {data.best.score:.3f}; {counts}"


def _draw_best_so_far(axes: Axes, data: ScoreHistory) -> None:
    numbers, scores = zip(*data.best_so_far, strict=True)
    last = max(data.finished.numbers + data.pruned.numbers + data.faulty.numbers)
    axes.step([*numbers, last], [*scores, scores[-1]], where="post", color=INK, lw=1.8, label="lowest so far")
    axes.margins(y=0.12)


def _ring(axes: Axes, best: BestTrial) -> None:
    """Draw the ring around the best trial's own score, which may differ from the mean by which it was chosen."""
    point = (best.number, best.val_bpd)
    axes.plot(*point, "o", ms=14, mfc="none", mec=INK, mew=2, zorder=4, linestyle="", label=best.label)
    axes.annotate(
        f"{best.val_bpd:.3f}",
        point,
        (0, -13),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=12,
        fontweight="bold",
        color=INK,
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1},
        zorder=4,
    )
