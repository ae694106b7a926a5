"""Scores of linear models (probabilistic PCA) over their number of dimensions, as a curve beside a VAE's scores."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from hpo.figures.style import INK, mark_values

# (number of dimensions, score in bits/dim) of linear models, ascending.
LinearScores = Sequence[tuple[int, float]]


def compare_with_linear_models(linear: LinearScores, latent_dim: int, bpd: float, subject: str) -> str:
    """Return a figure's title: the linear models that score lower than `subject`, which has `latent_dim` dimensions."""
    better = [n_dimensions for n_dimensions, score in linear if score < bpd]
    if not better:
        return f"No linear model of up to {linear[-1][0]} dimensions scores lower than {subject} with {latent_dim}"
    if len(better) == 1:
        return f"The linear model with {better[0]} dimensions scores lower than {subject} with {latent_dim}"
    return f"Linear models with {better[0]} to {better[-1]} dimensions score lower than {subject} with {latent_dim}"


def draw_linear_models(axes: Axes, linear: LinearScores, latent_dims: Sequence[int]) -> None:
    """Draw the scores as a line over a logarithmic axis of dimensions, with ticks that also cover `latent_dims`."""
    n_dimensions, scores = zip(*linear, strict=True)
    axes.plot(n_dimensions, scores, color=INK, lw=2, zorder=3, label="linear model (pPCA) of that size")
    axes.set_xscale("log")
    mark_values(axes.xaxis, min(n_dimensions[0], *latent_dims), max(n_dimensions[-1], *latent_dims), log=True)
