"""Interactive figure of the learning curves of a study's trials."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from hpo.dashboard.interactive_figures.layout import QUIET, limit_to_scores, new_figure, note_selection, select_shown
from hpo.dashboard.interactive_figures.plotted_trial import PlottedTrial
from hpo.dashboard.interactive_figures.trial_marks import trial_points
from hpo.figures.style import BLUE, INK, ORANGE, VERMILLION
from hpo.search.best_trial import MarkedTrial


def draw_interactive_learning_curves(trials: Sequence[PlottedTrial], best: MarkedTrial | None) -> go.Figure:
    """Plot trials' scores over their epochs, of many trials those of some hundred; crosses mark pruned trials."""
    all_trials, trials = trials, select_shown(trials)
    figure = new_figure(
        "Learning curves, and where the pruner stopped (lower is better)", "epoch", "val_bpd (bits/dim)"
    )
    marked = [trial for trial in all_trials if best and trial.number == best.number]
    groups = {
        "pruned": ([t for t in trials if t.kind == "pruned"], QUIET, 1.2),
        "ended by a fault": ([t for t in trials if t.kind not in ("pruned", "finished")], ORANGE, 1.2),
        "finished": ([t for t in trials if t.kind == "finished"], BLUE, 1.8),
    }
    for name, (group, colour, width) in groups.items():
        if group:
            figure.add_trace(_trial_lines(name, group, colour, width))
    if best and marked:
        figure.add_trace(_trial_lines(best.label, marked, INK, 3.5))
    pruned = [trial for trial in trials if trial.kind == "pruned"]
    if pruned:
        last_reports = [trial.curve[-1] for trial in pruned]
        figure.add_trace(trial_points("stopped by the pruner", last_reports, pruned, symbol="x", colour=VERMILLION))
    limit_to_scores(figure, trials)
    note_selection(figure, len(trials), len(all_trials))
    return figure


def _trial_lines(name: str, trials: Sequence[PlottedTrial], colour: str, width: float) -> go.Scatter:
    """Draw all trials of a kind as one trace, with a gap between two trials: a study may have hundreds."""
    x: list[float | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for trial in trials:
        x += [*(epoch for epoch, _ in trial.curve), None]
        y += [*(round(score, 5) for _, score in trial.curve), None]
        text += [f"trial {trial.number}"] * (len(trial.curve) + 1)
    return go.Scatter(
        x=x,
        y=y,
        text=text,
        mode="lines+markers",
        line={"color": colour, "width": width},
        marker={"color": colour, "size": 2.5 * width},
        hovertemplate="%{text}, epoch %{x:g}<br>val_bpd %{y:.4f}<extra></extra>",
        name=name,
    )
