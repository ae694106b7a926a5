"""Figure of the scores of all trials in their order."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hpo.figures.study.trial_marks import BITS, FAULTY, cut_off, scatter
from hpo.figures.study.trial_points import Points, ceiling, of_kind, trial_points
from hpo.figures.style import BLUE, INK, MUTED, PAPER, VERMILLION, dress, legend_below, new_figure
from hpo.search.best_trial import BestTrial


def draw_score_history(data: History) -> Figure:
    """Draw every trial's score by number, the lowest so far as a step line, and a ring around the best."""
    figure = new_figure(_history_headline(data), width_in=13, height_in=6.4)
    axes = figure.subplots()
    dress(axes, "lower is better", "trial", BITS)
    cut_off(axes, data.ceiling)
    scatter(axes, data.finished, data.ceiling, "finished", marker="o", s=55, color=BLUE, edgecolors=PAPER, zorder=3)
    scatter(axes, data.pruned, data.ceiling, "pruned, at its last report", marker="x", s=45, color=VERMILLION)
    scatter(axes, data.faulty, data.ceiling, FAULTY, marker="s", s=40, facecolors="none", edgecolors=MUTED)
    if data.best:
        _draw_best_so_far(axes, data)
        _ring(axes, data.best)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return figure


def _history_headline(data: History) -> str:
    counts = f"{len(data.finished.numbers)} trials finished, {len(data.pruned.numbers)} pruned"
    if not data.best:
        return f"No trial has finished yet: {len(data.pruned.numbers)} pruned, {len(data.faulty.numbers)} faulty"
    return f"{data.best.label[0].upper()}{data.best.label[1:]} with {data.best.score:.3f}; {counts}"


def _draw_best_so_far(axes: Axes, data: History) -> None:
    numbers, scores = zip(*data.best_so_far, strict=True)
    every = data.finished.numbers + data.pruned.numbers + data.faulty.numbers
    axes.step([*numbers, max(every)], [*scores, scores[-1]], where="post", color=INK, lw=1.8, label="lowest so far")
    axes.margins(y=0.12)


def _ring(axes: Axes, best: BestTrial) -> None:
    """Draw the ring around the best trial's own score, which may differ from the mean by which it was chosen."""
    place = (best.number, best.val_bpd)
    axes.plot(*place, "o", ms=14, mfc="none", mec=INK, mew=2, zorder=4, linestyle="", label=best.label)
    axes.annotate(
        f"{best.val_bpd:.3f}",
        place,
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


@dataclass(frozen=True)
class History:
    """Trials in their order. `best_so_far` are the (number, score) at which the lowest score changed.

    What lies above `ceiling` would squeeze the rest; None where nothing does.
    """

    finished: Points
    pruned: Points
    faulty: Points
    best_so_far: tuple[tuple[int, float], ...]
    best: BestTrial | None
    ceiling: float | None


def history_data(trials: pd.DataFrame, best: BestTrial | None) -> History:
    """Collect every trial's last score, and the improvements of the lowest finished one."""
    best_so_far: list[tuple[int, float]] = []
    finished = trial_points(of_kind(trials, "finished"), "number")
    for number, score in zip(finished.numbers, finished.scores, strict=True):
        if not best_so_far or score < best_so_far[-1][1]:
            best_so_far.append((number, score))
    pruned = trial_points(of_kind(trials, "pruned"), "number")
    faulty = trial_points(of_kind(trials, "diverged", "out of memory", "failed"), "number")
    top = ceiling(finished.scores + pruned.scores + faulty.scores)
    return History(finished, pruned, faulty, tuple(best_so_far), best, top)
