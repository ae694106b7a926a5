"""Marks of trials that several interactive figures share, and their text on hovering."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from hpo.dashboard.interactive_figures.plotted_trial import PlottedTrial
from hpo.figures.study.trial_marks import hyperparameter_label


def hover_text(trial: PlottedTrial) -> str:
    """Return the lines that appear on hovering over a trial."""
    return (
        f"trial {trial.number}, {trial.kind}<br>val_bpd {trial.val_bpd:.4f}<br>"
        f"{hyperparameter_label('beta')} {trial.beta:.3g}, {hyperparameter_label('latent_dim')} {trial.latent_dim}"
    )


def trial_points(
    name: str, points: Sequence[tuple[float, float]], trials: Sequence[PlottedTrial], *, symbol: str, colour: str
) -> go.Scatter:
    """Draw one mark for each trial, at its (x, y)."""
    return go.Scatter(
        x=[round(x, 4) for x, _ in points],
        y=[round(y, 5) for _, y in points],
        mode="markers",
        marker={"symbol": symbol, "color": colour, "size": 9},
        text=[hover_text(trial) for trial in trials],
        hovertemplate="%{text}<extra></extra>",
        name=name,
    )
