"""Figure of a trained model's score beside linear models of every size."""

from __future__ import annotations

from pathlib import Path

from hpo.figures.linear_models import LinearScores, compare_with_linear_models, draw_linear_models
from hpo.figures.style import BLUE, in_own_style, legend_below, new_figure, save_figure, style_axes


@in_own_style
def draw_score_beside_linear_models(linear: LinearScores, latent_dim: int, val_bpd: float, path: Path) -> None:
    """Draw linear models as a line over their dimensions, and the model as a point, both on the validation split."""
    title = compare_with_linear_models(linear, latent_dim, val_bpd, "this model")
    figure = new_figure(title, width_in=13, height_in=6.4)
    axes = figure.subplots()
    style_axes(axes, "validation split; lower is better", "latent dimension", "score (bits/dim)")
    draw_linear_models(axes, linear, [latent_dim])
    axes.plot(latent_dim, val_bpd, "o", ms=13, color=BLUE, ls="", zorder=4, label=f"this model: {val_bpd:.3f}")
    legend_below(figure, axes.get_legend_handles_labels()[0])
    save_figure(figure, path)
