"""Figure of the Pareto front of a study with two objectives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hpo.figures.study.trial_marks import BITS, cut_off, draw_trials, hyperparameter_label
from hpo.figures.study.trial_points import TrialPoints, score_ceiling
from hpo.figures.style import BLUE, INK, MUTED, PAPER, SKY, legend_below, mark_values, new_figure, style_axes
from hpo.search.pareto import ParetoFront, ParetoTrial

# If the largest value is more than so many times the smallest, a linear axis would crowd most trials at the left.
_LOG_RATIO = 6
# More numbers would overlap.
_MAX_NUMBERED = 15


def draw_pareto_front(data: ParetoFront) -> Figure:
    """Draw finished trials' scores against the second objective; the front as a step line, its trials numbered."""
    figure = new_figure(_headline(data), width_in=13, height_in=7.4)
    axes = figure.subplots()
    style_axes(axes, "finished trials; down and to the left is better", _with_unit(data.name), BITS)
    trials = (*data.front, *data.dominated)
    ceiling = score_ceiling(trial.val_bpd for trial in trials)
    _scale(axes, [trial.second for trial in trials])
    axes.step(
        [trial.second for trial in reversed(data.front)],
        [trial.val_bpd for trial in reversed(data.front)],
        where="post",
        color=SKY,
        lw=2,
        zorder=2,
        label="Pareto front",
    )
    look = {"marker": "o", "edgecolors": PAPER}
    draw_trials(
        axes, _points(data.dominated), ceiling, "dominated by a trial of the front", s=50, color=MUTED, zorder=3, **look
    )
    draw_trials(
        axes, _points(data.front), ceiling, "on the front, with the trial's number", s=95, color=BLUE, zorder=4, **look
    )
    if len(data.front) <= _MAX_NUMBERED:
        _number(axes, data.front, ceiling)
    best = data.front[0]
    ring: dict[str, Any] = {"ms": 15, "mfc": "none", "mec": INK, "mew": 2, "ls": "", "zorder": 5}
    axes.plot(best.second, best.val_bpd, "o", label=f"lowest val_bpd: trial {best.number}", **ring)
    cut_off(axes, ceiling)
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return figure


def _headline(data: ParetoFront) -> str:
    n_front, n_finished = len(data.front), len(data.front) + len(data.dominated)
    if n_front == 1 < n_finished:
        return f"1 of {n_finished} finished trials, trial {data.front[0].number}, dominates all others"
    subject = "The only finished trial lies" if n_finished == 1 else f"{n_front} of {n_finished} finished trials lie"
    return f"{subject} on the Pareto front"


def _with_unit(name: str) -> str:
    return {"seconds_per_epoch": "seconds per epoch, training and validation"}.get(name, hyperparameter_label(name))


def _scale(axes: Axes, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    if low > 0 and high > _LOG_RATIO * low:
        axes.set_xscale("log")
        mark_values(axes.xaxis, low, high, log=True)
    elif all(float(value).is_integer() for value in values):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _points(trials: Sequence[ParetoTrial]) -> TrialPoints:
    return TrialPoints(
        tuple(trial.number for trial in trials),
        tuple(trial.second for trial in trials),
        tuple(trial.val_bpd for trial in trials),
    )


def _number(axes: Axes, trials: Sequence[ParetoTrial], ceiling: float | None) -> None:
    for trial in trials:
        axes.annotate(
            f"{trial.number}",
            (trial.second, trial.val_bpd if ceiling is None else min(trial.val_bpd, ceiling)),
            (9, 7),
            textcoords="offset points",
            fontsize=12,
            color=INK,
            zorder=6,
        )
