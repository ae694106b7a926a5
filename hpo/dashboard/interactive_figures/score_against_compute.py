"""Interactive figure of scores against the compute that the search has spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import plotly.graph_objects as go

from hpo.dashboard.interactive_figures.layout import limit_to_scores, new_figure, note_selection
from hpo.dashboard.interactive_figures.plotted_trial import PlottedTrial
from hpo.dashboard.interactive_figures.trial_marks import trial_points
from hpo.figures.study.trial_points import shown_positions
from hpo.figures.style import BLUE, INK, ORANGE, VERMILLION


@dataclass(frozen=True)
class ScoreAgainstCompute:
    """Compute spent until each trial ended, in the order of the trials.

    `best` are points (compute spent, lowest score of finished trials so far) at which that score changed, and the end.
    """

    unit: str
    spent: tuple[float, ...]
    best: tuple[tuple[float, float], ...]


def score_against_compute_data(trials: Sequence[PlottedTrial]) -> ScoreAgainstCompute:
    """Sum up the compute after each trial, in minutes or hours of training, with the best finished score so far."""
    total = sum(trial.seconds for trial in trials)
    unit, seconds = ("hours", 3600.0) if total >= 2 * 3600 else ("minutes", 60.0)
    spent = tuple(accumulate(trial.seconds / seconds for trial in trials))
    best: list[tuple[float, float]] = []
    for compute, trial in zip(spent, trials, strict=True):
        if trial.kind == "finished" and (not best or trial.val_bpd < best[-1][1]):
            best.append((compute, trial.val_bpd))
    if best:
        best.append((spent[-1], best[-1][1]))
    return ScoreAgainstCompute(unit, spent, tuple(best))


def draw_score_against_compute(trials: Sequence[PlottedTrial]) -> go.Figure:
    """Plot trials' last scores against all training until their ends, and the best so far as a step line.

    The line follows from all trials; of many, some hundred are marked.
    """
    data = score_against_compute_data(trials)
    title = "What the search has cost and brought (lower is better)"
    figure = new_figure(title, f"{data.unit} of training, all trials so far", "val_bpd (bits/dim)")
    if data.best:
        x, y = ([point[axis] for point in data.best] for axis in (0, 1))
        line = {"color": INK, "width": 2.5, "shape": "hv"}
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name="best so far", hoverinfo="skip"))
    shapes = {
        "finished": ("circle", BLUE),
        "pruned": ("x", VERMILLION),
        "continued": ("triangle-right-open", VERMILLION),
        "confirmation": ("circle-open", BLUE),
    }
    shown = shown_positions([trial.val_bpd for trial in trials])
    for kind in dict.fromkeys(trials[position].kind for position in shown):
        chosen = [(data.spent[position], trials[position]) for position in shown if trials[position].kind == kind]
        symbol, colour = shapes.get(kind, ("diamond", ORANGE))
        points = [(compute, trial.val_bpd) for compute, trial in chosen]
        figure.add_trace(trial_points(kind, points, [trial for _, trial in chosen], symbol=symbol, colour=colour))
    limit_to_scores(figure, trials)
    note_selection(figure, len(shown), len(trials))
    return figure
