"""Marks of trials in the interactive figures: size, colour, line and text on hovering."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from hpo.dashboard.plotly_data import PlottedTrial
from hpo.figures.style import PAPER

# Diameters in pixels.
_SMALLEST, _LARGEST = 8.0, 30.0


@dataclass(frozen=True)
class BetaScale:
    """Position of each beta on the colour bar, and the bar's ticks with their labels."""

    positions: tuple[float, ...]
    ticks: tuple[float, ...]
    labels: tuple[str, ...]


def hover_text(trial: PlottedTrial) -> str:
    """Return the lines that appear on hovering over a trial."""
    return (
        f"trial {trial.number}, {trial.kind}<br>val_bpd {trial.val_bpd:.4f}<br>"
        f"beta {trial.beta:.3g}, latent_dim {trial.latent_dim}"
    )


def marker_sizes(latent_dims: Sequence[int]) -> list[float]:
    """Return diameters in pixels: areas grow with the latent dimension, the largest diameter is fixed."""
    largest = max(latent_dims, default=1)
    return [round(max(_SMALLEST, _LARGEST * math.sqrt(size / largest)), 1) for size in latent_dims]


def beta_scale(betas: Sequence[float]) -> BetaScale:
    """Return a log scale, linear if a beta is 0; five ticks from smallest to largest, or one if all are equal."""
    is_linear = min(betas, default=1.0) == 0
    positions = [beta if is_linear else math.log10(beta) for beta in betas]
    low, high = min(positions, default=0.0), max(positions, default=0.0)
    ticks = [round(low + step * (high - low) / 4, 4) for step in range(5)] if high > low else [round(low, 4)]
    labels = tuple(f"{tick if is_linear else 10**tick:.2g}" for tick in ticks)
    return BetaScale(tuple(positions), tuple(ticks), labels)


def trial_cloud(trials: Sequence[PlottedTrial]) -> go.Scatter:
    """Draw trials at (rate, distortion): size for the latent dimension, colour for beta, crosses for pruned trials."""
    scale = beta_scale([trial.beta for trial in trials])
    marker: dict[str, Any] = {
        "size": marker_sizes([trial.latent_dim for trial in trials]),
        "color": [round(position, 4) for position in scale.positions],
        "colorscale": "Viridis",
        "line": {"color": PAPER, "width": 1},
        "symbol": ["x" if trial.kind == "pruned" else "circle" for trial in trials],
        "colorbar": {"title": {"text": "beta"}, "tickvals": list(scale.ticks), "ticktext": list(scale.labels)},
    }
    return go.Scatter(
        x=[round(trial.rate_nats, 2) for trial in trials],
        y=[round(trial.distortion_nats, 2) for trial in trials],
        mode="markers",
        marker=marker,
        text=[hover_text(trial) for trial in trials],
        hovertemplate="%{text}<br>rate %{x:.1f}, distortion %{y:.1f}<extra></extra>",
        name="trials: colour beta, size latent_dim, crosses pruned",
    )


def trial_lines(name: str, trials: Sequence[PlottedTrial], colour: str, width: float) -> go.Scatter:
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
