"""Draws the figures of a study's page, each if the study has enough trials for it."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from hpo.analysis.data_frames import trials_frame
from hpo.analysis.ppca_baseline import trials_that_beat_ppca
from hpo.config.hyperparameters import Choices
from hpo.config.schema import StudyConfig
from hpo.config.search_space import searched
from hpo.figures.study import (
    importances,
    latent_dim_scores,
    learning_curves,
    parallel_coordinates,
    pareto_front,
    rate_distortion,
    score_history,
    slices,
)
from hpo.figures.study.rate_distortion_data import rate_distortion_data
from hpo.figures.study.trial_points import SearchAxis
from hpo.figures.style import in_own_style
from hpo.report.embedded_pictures import Picture, embedded_figure
from hpo.report.study_page_data import StudyPage
from hpo.search.best_trial import BestTrial
from hpo.storage.open_study import OpenStudy

FIGURES = ("history", "learning_curves", "importances", "slices", "parallel", "pareto", "latent_dim", "rate_distortion")
_Drawings = dict[str, Callable[[], Figure]]


@in_own_style
def draw_figures(page: StudyPage, opened: OpenStudy) -> Mapping[str, Picture | None]:
    """Draw each of FIGURES; None if there is too little to draw."""
    trials, results = trials_frame(page.rows, opened.config), page.results
    best = results.best if results else None
    drawings = _trial_drawings(page, trials, best) | _search_space_drawings(trials, axes_of(opened.config), best)
    if shares := page.importances:
        drawings["importances"] = lambda: importances.draw_importances(shares.shares, shares.n_top, shares.n_finished)
    if front := page.pareto_front:
        drawings["pareto"] = lambda: pareto_front.draw_pareto_front(front)
    return {name: embedded_figure(drawings[name]()) if name in drawings else None for name in FIGURES}


def axes_of(config: StudyConfig) -> tuple[SearchAxis, ...]:
    """Return one axis for each searched hyperparameter."""
    return tuple(
        SearchAxis(name, choices=entry.choices)
        if isinstance(entry, Choices)
        else SearchAxis(name, float(entry.low), float(entry.high), entry.log)
        for name, entry in searched(config.hyperparameters).items()
    )


def _trial_drawings(page: StudyPage, trials: pd.DataFrame, best: BestTrial | None) -> _Drawings:
    curves = {row.number: row.curve for row in page.rows}
    learning = learning_curves.learning_curves_data(trials, curves, best or page.expected_best)
    history = score_history.score_history_data(trials, best)
    ppca = [
        (latent_dim, point.rate_nats, point.distortion_nats)
        for latent_dim, point in sorted(page.ppca_baseline.curve.items())
    ]
    rates = rate_distortion_data(trials, ppca, best, trials_that_beat_ppca(page.rows, page.ppca_baseline))
    drawings: _Drawings = {}
    if history.finished.numbers or history.pruned.numbers or history.faulty.numbers:
        drawings["history"] = lambda: score_history.draw_score_history(history)
    if learning.curves:
        drawings["learning_curves"] = lambda: learning_curves.draw_learning_curves(learning)
    linear = page.ppca_baseline.different_models(page.largest_latent_dim, page.images.n_train, page.images.n_dims)
    if best and (scores := latent_dim_scores.latent_dim_scores_data(trials, linear, best)):
        drawings["latent_dim"] = lambda: latent_dim_scores.draw_latent_dim_scores(scores)
    if rates.points:
        drawings["rate_distortion"] = lambda: rate_distortion.draw_rate_distortion(rates, page.images.n_dims)
    return drawings


def _search_space_drawings(trials: pd.DataFrame, axes: tuple[SearchAxis, ...], best: BestTrial | None) -> _Drawings:
    """Compare values of the hyperparameters; that takes two finished trials."""
    lines = parallel_coordinates.parallel_coordinates_data(trials, axes, best)
    if len(lines.finished) < 2:
        return {}
    panels = slices.slices_data(trials, axes, best)
    drawings: _Drawings = {"slices": lambda: slices.draw_slices(panels)}
    # With one hyperparameter, parallel coordinates would show the same as its slice.
    if len(axes) > 1:
        drawings["parallel"] = lambda: parallel_coordinates.draw_parallel_coordinates(lines)
    return drawings
