"""Draws the figures of a study's page, each where there is enough to draw."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from hpo.analysis.data_frames import trials_frame
from hpo.config.hyperparameters import Choices
from hpo.config.schema import StudyConfig
from hpo.config.search_space import searched
from hpo.figures.study import (
    importances,
    learning_curves,
    parallel_coordinates,
    pareto_front,
    rate_distortion,
    score_history,
    slices,
)
from hpo.figures.study.trial_points import SearchAxis
from hpo.figures.style import as_svg
from hpo.report.embedded_pictures import Picture, embedded_svg
from hpo.report.study_page_data import StudyReport
from hpo.search.best_trial import Best
from hpo.storage.open_study import OpenStudy

FIGURES = ("history", "learning_curves", "importances", "slices", "parallel", "pareto", "rate_distortion")
_POINTS_AN_INCH = 72


def draw_figures(report: StudyReport, at_hand: OpenStudy) -> Mapping[str, Picture | None]:
    """Each of FIGURES by its name; None where there is too little to draw."""
    trials = trials_frame(report.rows, at_hand.config)
    answer = report.answer
    best = Best(answer.best.number, answer.best_bpd, answer.confirmed) if answer else None
    drawn = _of_the_trials(report, trials, best) | _of_the_space(trials, axes_of(at_hand.config), best)
    if report.importances:
        found = report.importances
        drawn["importances"] = lambda: importances.importances(found.shares, found.n_top, found.n_finished)
    if report.front:
        front = report.front
        drawn["pareto"] = lambda: pareto_front.pareto_front(front)
    return {name: _embedded(drawn[name]()) if name in drawn else None for name in FIGURES}


def axes_of(config: StudyConfig) -> tuple[SearchAxis, ...]:
    """The searched hyperparameters as axes."""
    return tuple(
        SearchAxis(name, choices=entry.choices)
        if isinstance(entry, Choices)
        else SearchAxis(name, float(entry.low), float(entry.high), entry.log)
        for name, entry in searched(config.hyperparameters).items()
    )


def _of_the_trials(report: StudyReport, trials: pd.DataFrame, best: Best | None) -> dict[str, Callable[[], Figure]]:
    curves = {row.number: row.curve for row in report.rows}
    learning = learning_curves.learning_data(trials, curves, best)
    history = score_history.history_data(trials, best)
    linear = [(size, one.rate_nats, one.distortion_nats) for size, one in sorted(report.yardstick.curve.items())]
    rates = rate_distortion.rate_distortion_data(trials, linear, best)
    drawn: dict[str, Callable[[], Figure]] = {}
    if history.finished.numbers or history.pruned.numbers or history.faulty.numbers:
        drawn["history"] = lambda: score_history.history(history)
    if learning.lines:
        drawn["learning_curves"] = lambda: learning_curves.learning_curves(learning)
    if rates.points:
        drawn["rate_distortion"] = lambda: rate_distortion.rate_distortion(rates)
    return drawn


def _of_the_space(
    trials: pd.DataFrame, axes: tuple[SearchAxis, ...], best: Best | None
) -> dict[str, Callable[[], Figure]]:
    """Where two trials have finished; one is no comparison."""
    lines = parallel_coordinates.parallel_data(trials, axes, best)
    if len(lines.finished) < 2:
        return {}
    panels = slices.slice_data(trials, axes, best)
    drawn: dict[str, Callable[[], Figure]] = {"slices": lambda: slices.slices(panels)}
    # Two upright lines, one of them the score, are a slice once more.
    return drawn | ({"parallel": lambda: parallel_coordinates.parallel(lines)} if len(axes) > 1 else {})


def _embedded(figure: Figure) -> Picture:
    width, height = (round(_POINTS_AN_INCH * inches) for inches in figure.get_size_inches())
    return embedded_svg(as_svg(figure), width, height)
