"""Figure of the lowest scores of several studies against time and against trained epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpo.figures.study.trial_marks import BITS
from hpo.figures.study.trial_points import score_ceiling
from hpo.figures.style import CYCLE, PAPER, YELLOW, legend_below, new_figure, style_axes

# No yellow, which is hardly seen on white; with more studies than colours, the lines are dashed.
_LOOKS = [(colour, dashes) for dashes, colour in product(("-", "--", ":"), [c for c in CYCLE if c != YELLOW])]


@dataclass(frozen=True)
class StudyCurve:
    """Points (spent, lowest finished score so far) of a study: in hours, and in epochs of all its trials."""

    name: str
    by_hours: tuple[tuple[float, float], ...]
    by_epochs: tuple[tuple[float, float], ...]


def draw_best_so_far(curves: Sequence[StudyCurve]) -> Figure:
    """Draw a step line for each study, whose scores must compare, in two panels: time and epochs."""
    figure = new_figure(_headline(curves), width_in=13, height_in=6)
    by_time, by_epochs = figure.subplots(1, 2, sharey=True)
    unit, per_hour = _time_unit(curves)
    style_axes(by_time, "lowest finished score so far; lower is better", f"{unit} with a trial in training", BITS)
    style_axes(by_epochs, "the same against the training it took", "epochs, all trials", "")
    for number, curve in enumerate(curves):
        colour, dashes = _LOOKS[number % len(_LOOKS)]
        _draw(by_time, [(hours * per_hour, score) for hours, score in curve.by_hours], curve.name, colour, dashes)
        _draw(by_epochs, curve.by_epochs, curve.name, colour, dashes)
    for axes in (by_time, by_epochs):
        axes.set_xlim(left=0)
    by_time.margins(y=0.12)
    ceiling = score_ceiling(score for curve in curves for _, score in curve.by_hours)
    if ceiling is not None:
        by_time.set_ylim(top=ceiling)
    legend_below(figure, by_time.get_legend_handles_labels()[0])
    return figure


def _headline(curves: Sequence[StudyCurve]) -> str:
    lowest = min(curves, key=lambda curve: curve.by_hours[-1][1])
    score = lowest.by_hours[-1][1]
    return f"{lowest.name} has the lowest score of a single trial: {score:.3f}" if len(curves) > 1 else lowest.name


def _time_unit(curves: Sequence[StudyCurve]) -> tuple[str, float]:
    longest = max(curve.by_hours[-1][0] for curve in curves)
    return ("hours", 1.0) if longest >= 2 else ("minutes", 60.0)


def _draw(axes: Axes, points: Sequence[tuple[float, float]], name: str, colour: str, dashes: str) -> None:
    spent, scores = zip(*points, strict=True)
    axes.step(spent, scores, where="post", color=colour, linestyle=dashes, lw=2.2, label=name)
    axes.plot(spent[0], scores[0], "o", color=colour, ms=7, mec=PAPER)
    axes.plot(spent[-1], scores[-1], "|", color=colour, ms=12, mew=2.2)
