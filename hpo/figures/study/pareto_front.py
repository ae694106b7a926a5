"""Figure of the Pareto front of a study with two objectives."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hpo.figures.study.trial_marks import BITS, cut_off, hyperparameter_label, scatter
from hpo.figures.study.trial_points import Points, ceiling
from hpo.figures.style import BLUE, INK, MUTED, PAPER, SKY, dress, legend_below, mark_values, new_figure
from hpo.search.pareto import ParetoFront, ParetoTrial

# Beyond so many times the least value, equal steps would crowd most trials at the left.
_LOG_RATIO = 6
# More numbers would run into each other.
_MAX_NUMBERED = 15


def draw_pareto_front(data: ParetoFront) -> Figure:
    """Draw finished trials' scores against the second objective; the front as a step line, its trials numbered."""
    figure = new_figure(_headline(data), width_in=13, height_in=7.4)
    axes = figure.subplots()
    dress(axes, "finished trials; down and to the left is better", _with_unit(data.name), BITS)
    every = (*data.front, *data.beaten)
    top = ceiling(one.val_bpd for one in every)
    _scale(axes, [one.second for one in every])
    cut_off(axes, top)
    axes.step(
        [one.second for one in reversed(data.front)],
        [one.val_bpd for one in reversed(data.front)],
        where="post",
        color=SKY,
        lw=2,
        zorder=2,
        label="as good as it gets: the front",
    )
    look = {"marker": "o", "edgecolors": PAPER}
    scatter(axes, _points(data.beaten), top, "beaten by a trial of the front", s=50, color=MUTED, zorder=3, **look)
    scatter(axes, _points(data.front), top, "on the front, with the trial's number", s=95, color=BLUE, zorder=4, **look)
    if len(data.front) <= _MAX_NUMBERED:
        _number(axes, data.front, top)
    best = data.front[0]
    axes.plot(
        best.second,
        best.val_bpd,
        "o",
        ms=15,
        mfc="none",
        mec=INK,
        mew=2,
        ls="",
        zorder=5,
        label=f"lowest val_bpd: trial {best.number}",
    )
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return figure


def _headline(data: ParetoFront) -> str:
    n_front, n_finished = len(data.front), len(data.front) + len(data.beaten)
    if n_front == 1:
        return f"Trial {data.front[0].number} is the whole Pareto front: no other of {n_finished} is better in anything"
    return f"{n_front} of {n_finished} finished trials lie on the Pareto front"


def _with_unit(name: str) -> str:
    return {"seconds_per_epoch": "seconds per epoch, training and validation"}.get(name, hyperparameter_label(name))


def _scale(axes: Axes, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    if low > 0 and high > _LOG_RATIO * low:
        axes.set_xscale("log")
        mark_values(axes.xaxis, low, high, log=True)
    elif all(float(value).is_integer() for value in values):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _points(trials: Sequence[ParetoTrial]) -> Points:
    return Points(
        tuple(one.number for one in trials), tuple(one.second for one in trials), tuple(one.val_bpd for one in trials)
    )


def _number(axes: Axes, trials: Sequence[ParetoTrial], top: float | None) -> None:
    for one in trials:
        axes.annotate(
            f"{one.number}",
            (one.second, one.val_bpd if top is None else min(one.val_bpd, top)),
            (9, 7),
            textcoords="offset points",
            fontsize=12,
            color=INK,
            zorder=6,
        )
