"""Figure of distortion against rate for all trials, with probabilistic PCA as the baseline."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpo.figures.study.rate_distortion_data import RateDistortionData, RatePoint
from hpo.figures.study.trial_marks import MAX_VECTOR_MARKS, hyperparameter_label
from hpo.figures.style import FAINT, INK, MUTED, PAPER, legend_below, mark_values, new_figure, style_axes
from model.config import DIMENSIONS
from model.scoring.definitions import nats_at_score

# Latent dimensions that are labelled on the curve of pPCA.
_LABELLED = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
_COLOURS = "viridis"


def draw_rate_distortion(data: RateDistortionData, n_dims: int = DIMENSIONS) -> Figure:
    """Draw each trial at its rate and distortion, coloured by beta, sized by latent dimension, pruned ones hollow.

    `n_dims`: number of values of an image, on which the lines of equal score depend.
    """
    figure = new_figure(_headline(data), width_in=13, height_in=8.6)
    axes = figure.subplots()
    style_axes(
        axes, "validation split; down and to the left is better", "rate, nats per image", "distortion, nats per image"
    )
    # The lines of equal score are the grid.
    axes.grid(visible=False)
    norm = _beta_scale([point.beta for point in data.points])
    _draw_trials(axes, [point for point in data.points if point.is_finished], norm, filled=True)
    _draw_trials(axes, [point for point in data.points if not point.is_finished], norm, filled=False)
    _fit_to(axes, data)
    _draw_ppca(axes, data)
    _draw_scores(axes, n_dims)
    _mark_best(axes, data)
    _legend(figure, data)
    if norm is not None:
        _colour_bar(figure, axes, norm, [point.beta for point in data.points])
    return figure


def _headline(data: RateDistortionData) -> str:
    compared = [point.beats_ppca for point in data.points if point.beats_ppca is not None]
    if not compared:
        return "Rate and distortion of each trial"
    n_ahead = sum(compared)
    verb, whose = ("beats", "its") if n_ahead == 1 else ("beat", "their")
    return f"{n_ahead} of {len(compared)} finished trials {verb} the linear model of {whose} size"


def _draw_trials(axes: Axes, points: list[RatePoint], norm: Normalize | None, filled: bool) -> None:
    colours = _colours([point.beta for point in points], norm)
    axes.scatter(
        [point.rate_nats for point in points],
        [point.distortion_nats for point in points],
        s=[_area(point.latent_dim) for point in points],
        facecolors=colours if filled else "none",
        edgecolors=PAPER if filled else colours,
        linewidths=1.2,
        zorder=4,
        rasterized=len(points) > MAX_VECTOR_MARKS,
    )


def _beta_scale(betas: list[float]) -> Normalize | None:
    """Return a colour scale, logarithmic if no beta is 0; None if all betas are equal."""
    low, high = min(betas), max(betas)
    if low == high:
        return None
    return LogNorm(low, high) if low > 0 else Normalize(low, high)


def _colours(betas: list[float], norm: Normalize | None) -> list[tuple[float, float, float, float]]:
    """Return a colour for each beta."""
    # The lightest tenth of the colour map would be invisible on white.
    shares = np.full(len(betas), 0.5) if norm is None else 0.9 * np.asarray(norm(np.array(betas)))
    return [tuple(colour) for colour in colormaps[_COLOURS](shares).tolist()]


def _area(latent_dim: int) -> float:
    """Area of a marker in square points: twice as wide at sixteen times the latent dimension."""
    return 16 * math.sqrt(latent_dim)


def _fit_to(axes: Axes, data: RateDistortionData) -> None:
    """Limit the axes to the trials; the linear model's curve continues beyond them."""
    for points, set_limits in (
        ([point.rate_nats for point in data.points], axes.set_xlim),
        ([point.distortion_nats for point in data.points], axes.set_ylim),
    ):
        margin = 0.12 * (max(points) - min(points)) or 10.0
        set_limits(min(points) - margin, max(points) + margin)


def _draw_ppca(axes: Axes, data: RateDistortionData) -> None:
    if not data.ppca:
        return
    latent_dims, rates, distortions = zip(*data.ppca, strict=True)
    axes.plot(rates, distortions, color=INK, linewidth=2, zorder=3)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for latent_dim, rate, distortion in zip(latent_dims, rates, distortions, strict=True):
        if latent_dim in _LABELLED and left < rate < right and bottom < distortion < top:
            axes.plot(rate, distortion, "s", color=INK, markersize=5, zorder=3)
            axes.annotate(
                f"d = {latent_dim}",
                (rate, distortion),
                (-7, -7),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=11,
                color=INK,
                zorder=6,
                bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.5},
            )


def _draw_scores(axes: Axes, n_dims: int) -> None:
    """Draw straight lines of equal score: the distortion that a nat of rate must save to be worth it."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for score in np.arange(2, 12, 0.1):
        total = nats_at_score(score, n_dims)
        axes.plot([left, right], [total - left, total - right], color=FAINT, linewidth=1.2, zorder=1)
        if bottom < total - right < top:
            offset = {"xytext": (-4, 3), "textcoords": "offset points", "ha": "right", "va": "bottom"}
            axes.annotate(f"{score:.1f}", (right, total - right), fontsize=11, color=MUTED, **offset)  # type: ignore[arg-type]
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def _mark_best(axes: Axes, data: RateDistortionData) -> None:
    for point in data.points:
        if data.best is not None and point.number == data.best.number:
            size = 1.7 * math.sqrt(_area(point.latent_dim))
            axes.plot(point.rate_nats, point.distortion_nats, "o", ms=size, mfc="none", mec=INK, mew=2, zorder=5)


def _legend(figure: Figure, data: RateDistortionData) -> None:
    latent_dims = sorted({point.latent_dim for point in data.points})
    entries = [
        _dot(f"{latent_dim} latent dimensions", math.sqrt(_area(latent_dim)), mfc=MUTED, mec=PAPER)
        for latent_dim in sorted({latent_dims[0], latent_dims[len(latent_dims) // 2], latent_dims[-1]})
    ]
    if data.best is not None:
        entries.append(_dot(data.best.label, 14, mfc="none", mec=INK, mew=2))
    if not all(point.is_finished for point in data.points):
        entries.append(_dot("pruned, at its last report", 10, mfc="none", mec=MUTED, mew=1.2))
    if data.ppca:
        entries.append(Line2D([], [], color=INK, lw=2, marker="s", ms=5, label="linear model (pPCA) of d dimensions"))
    entries.append(Line2D([], [], color=FAINT, lw=1.5, label="equal score, bits/dim"))
    legend_below(figure, entries)


def _dot(label: str, size: float, **look: Any) -> Line2D:
    return Line2D([], [], linestyle="", marker="o", markersize=size, label=label, **look)


def _colour_bar(figure: Figure, axes: Axes, norm: Normalize, betas: list[float]) -> None:
    colours = ListedColormap(colormaps[_COLOURS](np.linspace(0, 0.9, 256)))
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=axes, fraction=0.04, pad=0.01)
    bar.set_label(hyperparameter_label("beta"), fontsize=13, color=MUTED, rotation=0)
    bar.outline.set_visible(False)
    mark_values(bar.ax.yaxis, min(betas), max(betas), isinstance(norm, LogNorm))
    bar.ax.tick_params(labelsize=11, colors=MUTED, length=0, which="both")
