"""Figure of the trials' scores against their latent dimension, beside linear models of every size in the range."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from hpo.figures.linear_models import LinearScores, compare_with_linear_models, draw_linear_models
from hpo.figures.study.trial_marks import BITS, cut_off, draw_trials
from hpo.figures.study.trial_points import TrialPoints, of_kind, score_ceiling, trial_points
from hpo.figures.style import BLUE, INK, PAPER, VERMILLION, legend_below, new_figure, style_axes
from hpo.search.best_trial import BestTrial


@dataclass(frozen=True)
class LatentDimScores:
    """Trials at their latent dimensions, and linear models of every size up to the end of the study's range."""

    finished: TrialPoints
    pruned: TrialPoints
    linear: LinearScores
    best: BestTrial
    best_latent_dim: int
    ceiling: float | None


def latent_dim_scores_data(trials: pd.DataFrame, linear: LinearScores, best: BestTrial) -> LatentDimScores | None:
    """Collect finished trials, and pruned ones at their last report; None if all have one latent dimension.

    Args:
        trials: table of the trials.
        linear: scores of linear models, up to the largest latent dimension of the study's range.
        best: the best trial.
    """
    finished, pruned = (trial_points(of_kind(trials, kind), "latent_dim") for kind in ("finished", "pruned"))
    if not linear or len({*finished.positions, *pruned.positions}) == 1:
        return None
    best_latent_dim = int(finished.positions[finished.numbers.index(best.number)])
    return LatentDimScores(
        finished, pruned, linear, best, best_latent_dim, score_ceiling(finished.scores + pruned.scores)
    )


def draw_latent_dim_scores(data: LatentDimScores) -> Figure:
    """Draw trials as marks above their latent dimension, linear models as a line, the best trial in a ring.

    The line begins at the smallest trial.
    """
    best, latent_dim = data.best, data.best_latent_dim
    title = compare_with_linear_models(data.linear, latent_dim, best.val_bpd, "the best trial")
    figure = new_figure(title, width_in=13, height_in=6.4)
    axes = figure.subplots()
    style_axes(axes, "validation split; lower is better", "latent dimension", BITS)
    latent_dims = data.finished.positions + data.pruned.positions
    shown = [(n_dimensions, score) for n_dimensions, score in data.linear if n_dimensions >= min(latent_dims)]
    draw_linear_models(axes, shown or data.linear, latent_dims)
    draw_trials(axes, data.finished, data.ceiling, "finished", marker="o", s=55, color=BLUE, edgecolors=PAPER, zorder=4)
    draw_trials(axes, data.pruned, data.ceiling, "pruned, at its last report", marker="x", s=45, color=VERMILLION)
    axes.plot(latent_dim, best.val_bpd, "o", ms=14, mfc="none", mec=INK, mew=2, ls="", zorder=5, label=best.label)
    cut_off(axes, data.ceiling)
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return figure
