"""Interactive figure of distortion against rate, with probabilistic PCA and lines of equal score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from hpo.analysis.ppca_baseline import PpcaBaseline
from hpo.dashboard.interactive_figures.layout import QUIET, new_figure, note_selection, select_shown
from hpo.dashboard.interactive_figures.plotted_trial import PlottedTrial
from hpo.dashboard.interactive_figures.trial_marks import hover_text
from hpo.figures.study.trial_marks import hyperparameter_label
from hpo.figures.style import MUTED, PAPER
from model.config import DIMENSIONS
from model.scoring.definitions import nats_at_score

# Diameters in pixels.
_SMALLEST, _LARGEST = 8.0, 30.0
# So many finished trials show where the interesting ones lie.
_ENOUGH = 3
_ISO_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MAX_ISO_SCORES = 6


@dataclass(frozen=True)
class PpcaPoint:
    """Probabilistic PCA with one latent dimension."""

    latent_dim: int
    rate_nats: float
    distortion_nats: float
    bpd: float


@dataclass(frozen=True)
class IsoScore:
    """Line of equal score: all pairs of rate and distortion that sum to `nats`."""

    bpd: float
    nats: float


@dataclass(frozen=True)
class BetaScale:
    """Position of each beta on the colour bar, and the bar's ticks with their labels."""

    positions: tuple[float, ...]
    ticks: tuple[float, ...]
    labels: tuple[str, ...]


def draw_interactive_rate_distortion(
    trials: Sequence[PlottedTrial], ppca: Sequence[PpcaPoint], iso_scores: Sequence[IsoScore]
) -> go.Figure:
    """Plot distortion against rate of trials, of many those of some hundred, above pPCA and lines of equal score."""
    n_trials, trials = len(trials), select_shown(trials)
    figure = new_figure(
        "Rate and distortion: lower left is better", "rate (nats an image)", "distortion (nats an image)"
    )
    x_range, y_range = rate_distortion_ranges(trials, ppca)
    for iso in iso_scores:
        _draw_iso_score(figure, iso, x_range)
    if ppca:
        _draw_ppca(figure, ppca)
    figure.add_trace(trial_cloud(trials))
    note_selection(figure, len(trials), n_trials)
    figure.update_xaxes(range=list(x_range))
    figure.update_yaxes(range=list(y_range))
    return figure


def ppca_points(baseline: PpcaBaseline | None) -> list[PpcaPoint]:
    """Return probabilistic PCA's rate, distortion and score at each latent dimension; empty if they are not known."""
    curve = baseline.curve if baseline else {}
    return [PpcaPoint(d, point.rate_nats, point.distortion_nats, point.bpd) for d, point in sorted(curve.items())]


def iso_scores(scores: list[float], n_dims: int = DIMENSIONS) -> list[IsoScore]:
    """Return up to six round scores that cover the range of the given ones, of images of `n_dims` values."""
    low, high = min(scores), max(scores)
    step = next((step for step in _ISO_STEPS if (high - low) / step <= _MAX_ISO_SCORES - 2), _ISO_STEPS[-1])
    first = math.floor(low / step)
    rounded = [round((first + index) * step, 2) for index in range(_MAX_ISO_SCORES)]
    return [IsoScore(bpd, nats_at_score(bpd, n_dims)) for bpd in rounded]


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
        "colorbar": {
            "title": {"text": hyperparameter_label("beta")},
            "tickvals": list(scale.ticks),
            "ticktext": list(scale.labels),
        },
    }
    colour, size = hyperparameter_label("beta"), hyperparameter_label("latent_dim")
    return go.Scatter(
        x=[round(trial.rate_nats, 2) for trial in trials],
        y=[round(trial.distortion_nats, 2) for trial in trials],
        mode="markers",
        marker=marker,
        text=[hover_text(trial) for trial in trials],
        hovertemplate="%{text}<br>rate %{x:.1f}, distortion %{y:.1f}<extra></extra>",
        name=f"trials: colour {colour}, size {size}, crosses pruned",
    )


def rate_distortion_ranges(
    trials: Sequence[PlottedTrial], ppca: Sequence[PpcaPoint]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return ranges of rate and distortion that hold the finished trials (all trials if few finished) and pPCA nearby.

    Trials that were stopped early may be far away.
    """
    finished = [trial for trial in trials if trial.kind == "finished"]
    shown = finished if len(finished) >= _ENOUGH else trials
    rates = _with_margin([trial.rate_nats for trial in shown])
    ppca_distortions = [point.distortion_nats for point in ppca if rates[0] <= point.rate_nats <= rates[1]]
    return rates, _with_margin([*(trial.distortion_nats for trial in shown), *ppca_distortions])


def _with_margin(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = max(0.12 * (high - low), 1.0)
    return low - margin, high + margin


def _draw_ppca(figure: go.Figure, ppca: Sequence[PpcaPoint]) -> None:
    figure.add_trace(
        go.Scatter(
            x=[round(point.rate_nats, 2) for point in ppca],
            y=[round(point.distortion_nats, 2) for point in ppca],
            mode="lines+markers",
            line={"color": MUTED, "width": 1.5},
            marker={"color": MUTED, "size": 4},
            customdata=[[point.latent_dim, round(point.bpd, 4)] for point in ppca],
            hovertemplate="pPCA, %{customdata[0]} dimensions<br>val_bpd %{customdata[1]:.4f}<extra></extra>",
            name="probabilistic PCA, a point for each latent size",
        )
    )


def _draw_iso_score(figure: go.Figure, iso: IsoScore, x_range: tuple[float, float]) -> None:
    left, right = (round(x, 1) for x in x_range)
    figure.add_trace(
        go.Scatter(
            x=[left, right],
            y=[round(iso.nats - left, 1), round(iso.nats - right, 1)],
            mode="lines+text",
            line={"color": QUIET, "width": 1.2, "dash": "dot"},
            text=["", f"{iso.bpd:g} bits/dim "],
            textposition="top left",
            textfont={"color": MUTED, "size": 11},
            hoverinfo="skip",
            showlegend=False,
        )
    )
