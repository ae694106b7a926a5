"""Interactive figure of the Pareto front of a study with two objectives."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from hpo.dashboard.interactive_figures.layout import QUIET, new_figure, note_selection
from hpo.dashboard.interactive_figures.plotted_trial import PlottedTrial
from hpo.dashboard.interactive_figures.trial_marks import hover_text
from hpo.figures.study.trial_marks import hyperparameter_label
from hpo.figures.study.trial_points import shown_positions
from hpo.figures.style import BLUE
from hpo.search.pareto import ParetoFront


def draw_interactive_pareto_front(data: ParetoFront, trials: Sequence[PlottedTrial]) -> go.Figure:
    """Plot finished trials' scores against the second objective; a step line joins the front."""
    hover_texts = {trial.number: hover_text(trial) for trial in trials}
    dominated = [data.dominated[position] for position in shown_positions([trial.val_bpd for trial in data.dominated])]
    name = hyperparameter_label(data.name)
    figure = new_figure(f"Pareto front of val_bpd and {name}: lower left is better", name, "val_bpd (bits/dim)")
    note_selection(figure, len(data.front) + len(dominated), len(data.front) + len(data.dominated))
    line = {"color": BLUE, "width": 2, "shape": "hv"}
    for group, legend, look in (
        (dominated, "dominated by a trial of the front", {"mode": "markers", "marker": {"color": QUIET, "size": 9}}),
        (data.front[::-1], "on the front", {"mode": "lines+markers", "line": line, "marker": {"size": 12}}),
    ):
        hover = [
            f"{hover_texts.get(trial.number, f'trial {trial.number}')}<br>{name} {trial.second:.4g}" for trial in group
        ]
        x, y = [round(trial.second, 4) for trial in group], [round(trial.val_bpd, 5) for trial in group]
        figure.add_trace(go.Scatter(x=x, y=y, text=hover, hovertemplate="%{text}<extra></extra>", name=legend, **look))
    return figure
