"""Figures of a study but rate-distortion: their data compared as values, their drawings by the texts on them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpo.figures.linear_models import compare_with_linear_models
from hpo.figures.study.importances import draw_importances
from hpo.figures.study.latent_dim_scores import LatentDimScores, draw_latent_dim_scores, latent_dim_scores_data
from hpo.figures.study.learning_curves import LearningCurve, LearningCurves, draw_learning_curves, learning_curves_data
from hpo.figures.study.parallel_coordinates import (
    ParallelCoordinates,
    draw_parallel_coordinates,
    parallel_coordinates_data,
)
from hpo.figures.study.pareto_front import draw_pareto_front
from hpo.figures.study.rate_distortion import draw_rate_distortion
from hpo.figures.study.rate_distortion_data import RateDistortionData, rate_distortion_data
from hpo.figures.study.score_history import ScoreHistory, draw_score_history, score_history_data
from hpo.figures.study.slices import Slices, draw_slices, slices_data
from hpo.figures.study.trial_points import MAX_SHOWN, SearchAxis, TrialPoints, shown_positions, shown_trials
from hpo.search.best_trial import BestTrial
from hpo.search.pareto import ParetoFront, ParetoTrial
from tests.figures.study.trials import BATCH, BEST, BETA, CHOSEN, CURVES, NOTHING, TRIALS, rendered, ring_position


def test_score_history_separates_kinds_of_trials_and_steps_down_with_finished_ones_only() -> None:
    assert score_history_data(TRIALS, BEST) == ScoreHistory(
        finished=TrialPoints((0, 2, 6), (0, 2, 6), (7.0, 6.5, 6.8)),
        pruned=TrialPoints((1,), (1,), (7.5,)),
        faulty=TrialPoints((4,), (4,), (9.0,)),
        best_so_far=((0, 7.0), (2, 6.5)),
        best=BEST,
        ceiling=None,
    )


def test_a_score_far_from_the_rest_is_cut_off() -> None:
    trials = pd.DataFrame({"number": range(11), "kind": "finished", "val_bpd": [*np.linspace(6.0, 7.0, 10), 90.0]})
    assert score_history_data(trials, None).ceiling == pytest.approx(7.5)
    assert score_history_data(trials[:10], None).ceiling is None
    assert score_history_data(trials[:1], None).ceiling is None


def test_where_a_score_is_cut_off_the_axis_still_begins_near_the_lowest_one() -> None:
    scores = [*np.linspace(6.0, 7.0, 10), 90.0]
    trials = pd.DataFrame({"number": range(11), "kind": "finished", "val_bpd": scores, "beta": 1.0})
    best = BestTrial(0, 6.0)
    pareto = [ParetoTrial(number, score, 16.0 + number) for number, score in enumerate(scores)]
    points = TrialPoints(tuple(range(11)), (8,) * 11, tuple(scores))
    for figure in (
        draw_score_history(score_history_data(trials, best)),
        draw_slices(slices_data(trials, (BETA,), best)),
        draw_pareto_front(ParetoFront("latent_dim", tuple(pareto[:1]), tuple(pareto[1:]))),
        draw_latent_dim_scores(LatentDimScores(points, points, [(8, 6.5)], best, 8, 7.5)),
    ):
        bottom, top = figure.axes[0].get_ylim()
        assert 5.5 < bottom < 6.0 and top == pytest.approx(7.5)


def test_learning_curves_leave_out_scores_that_are_not_finite_and_trials_without_reports() -> None:
    assert learning_curves_data(TRIALS, CURVES, BEST) == LearningCurves(
        curves=(
            LearningCurve(0, "finished", (1.0, 2.0), (7.2, 7.0)),
            LearningCurve(1, "pruned", (1.0,), (7.5,)),
            LearningCurve(2, "finished", (2.0,), (6.5,)),
        ),
        best=BEST,
        ceiling=None,
        n_trials=3,
        n_pruned=1,
    )


def test_the_legend_names_the_best_only_if_its_curve_is_drawn() -> None:
    """The trial that is expected to end best may be continued by one that has no report yet."""
    for number, is_named in ((2, True), (7, False)):
        legend = draw_learning_curves(learning_curves_data(TRIALS, CURVES, BestTrial(number, 6.5))).legends[0]
        assert (f"best: trial {number}" in [text.get_text() for text in legend.get_texts()]) == is_named


def test_figures_of_many_trials_show_the_best_and_some_of_the_others() -> None:
    scores = [None, *np.linspace(9.0, 6.0, 999)]
    shown = shown_positions(scores)
    assert len(shown) == MAX_SHOWN and shown == sorted(shown)
    assert shown[0] == 0 and shown[-150:] == list(range(850, 1000))
    kinds = ["pruned" if number % 2 else "finished" for number in range(1000)]
    trials = pd.DataFrame({"number": range(1000), "kind": kinds, "val_bpd": scores})
    luckless = BestTrial(3, 9.0)
    assert 3 not in shown and 3 in set(shown_trials(trials, luckless)["number"])
    data = learning_curves_data(trials, {number: [(1.0, 7.0)] for number in range(1000)}, None)
    assert (len(data.curves), data.n_trials, data.n_pruned) == (MAX_SHOWN, 1000, 500)


def test_slices_have_a_panel_for_each_hyperparameter() -> None:
    assert slices_data(TRIALS, (BETA, BATCH), BEST) == Slices(
        panels=(
            (BETA, TrialPoints((0, 2, 6), (1.0, 0.25, 1.0), (7.0, 6.5, 6.8)), TrialPoints((1,), (4.0,), (7.5,))),
            (BATCH, TrialPoints((0, 2, 6), (64, 32, 32), (7.0, 6.5, 6.8)), TrialPoints((1,), (32,), (7.5,))),
        ),
        best=BEST,
        ceiling=None,
    )


def test_parallel_coordinates_scale_values_to_their_ranges() -> None:
    assert parallel_coordinates_data(TRIALS, (BETA, BATCH), BEST) == ParallelCoordinates(
        axes=(BETA, BATCH),
        finished=((0, (0.5, 0.75), 7.0), (2, (0.0, 0.25), 6.5), (6, (0.5, 0.25), 6.8)),
        pruned=((1.0, 0.25),),
        best=BEST,
    )


def test_positions_on_linear_logarithmic_and_categorical_axes() -> None:
    assert [SearchAxis("x", 2.0, 4.0).position(value) for value in (2, 3, 4)] == [0.0, 0.5, 1.0]
    assert SearchAxis("x", 1.0, 100.0, log=True).position(10.0) == pytest.approx(0.5)
    assert SearchAxis("x", choices=("constant", "cosine")).position("cosine") == 0.75


def test_without_trials_the_data_of_all_figures_are_empty() -> None:
    no_points = TrialPoints((), (), ())
    assert score_history_data(NOTHING, None) == ScoreHistory(no_points, no_points, no_points, (), None, None)
    assert learning_curves_data(NOTHING, {}, None) == LearningCurves((), None, None, 0, 0)
    assert slices_data(NOTHING, (BETA,), None) == Slices(((BETA, no_points, no_points),), None, None)
    assert parallel_coordinates_data(NOTHING, (BETA,), None) == ParallelCoordinates((BETA,), (), (), None)
    assert rate_distortion_data(NOTHING, (), None, {}) == RateDistortionData((), (), None)


def test_each_figure_renders_and_its_title_states_its_result() -> None:
    assert "Best: trial 2 with 6.500; 3 trials finished, 1 pruned" in rendered(
        draw_score_history(score_history_data(TRIALS, BEST))
    )
    assert "1 of 3 trials were stopped early (×)" in rendered(
        draw_learning_curves(learning_curves_data(TRIALS, CURVES, BEST))
    )
    texts = rendered(draw_importances({"beta": 0.25, "latent_dim": 0.75}, 5, 24))
    assert "Latent dimension sets the best 5 of 24 apart most" in texts and "75 %" in texts
    assert "In a ring the best: trial 2, 6.500" in rendered(draw_slices(slices_data(TRIALS, (BETA, BATCH), BEST)))
    assert "learning rate" not in rendered(
        draw_parallel_coordinates(parallel_coordinates_data(TRIALS, (BETA, BATCH), BEST))
    )


def test_figures_mark_the_trial_chosen_by_new_seeds_and_the_step_line_remains_the_lowest_score() -> None:
    figure = draw_score_history(score_history_data(TRIALS, CHOSEN))
    assert "Best by the mean of 2 new seeds: trial 6 with 6.950; 3 trials finished" in rendered(figure)
    assert ring_position(figure) == (6, 6.8)
    (steps,) = (line for line in figure.axes[0].lines if line.get_label() == "lowest so far")
    assert list(steps.get_ydata()) == [7.0, 6.5, 6.5]  # type: ignore[arg-type]
    figure = draw_slices(slices_data(TRIALS, (BETA, BATCH), CHOSEN))
    assert "In a ring the best by the mean of 2 new seeds: trial 6, 6.950" in rendered(figure)
    assert ring_position(figure) == (1.0, 6.8)
    for figure in (
        draw_learning_curves(learning_curves_data(TRIALS, CURVES | {6: ((2.0, 6.8),)}, CHOSEN)),
        draw_parallel_coordinates(parallel_coordinates_data(TRIALS, (BETA, BATCH), CHOSEN)),
        draw_rate_distortion(rate_distortion_data(TRIALS, (), CHOSEN, {})),
    ):
        (legend,) = figure.legends
        assert "best by the mean of 2 new seeds: trial 6" in [text.get_text() for text in legend.get_texts()]
    (thick,) = (
        line
        for line in draw_parallel_coordinates(parallel_coordinates_data(TRIALS, (BETA,), CHOSEN)).axes[0].lines
        if line.get_linewidth() > 3
    )
    assert list(thick.get_ydata()) == pytest.approx([0.5, 0.4])  # type: ignore[arg-type]


def test_title_of_the_score_history_without_a_finished_trial() -> None:
    texts = rendered(draw_score_history(score_history_data(TRIALS[TRIALS["kind"] != "finished"], None)))
    assert "No trial has finished yet: 1 pruned, 1 faulty" in texts


def test_the_legend_counts_marks_beyond_the_edge() -> None:
    trials = pd.DataFrame({"number": range(11), "kind": "finished", "val_bpd": [*np.linspace(6.0, 7.0, 10), 90.0]})
    assert "finished (1 beyond the upper edge)" in rendered(draw_score_history(score_history_data(trials, None)))


@pytest.mark.parametrize("n_axes", [1, 3, 5])
def test_slices_render_at_any_number_of_hyperparameters(n_axes: int) -> None:
    figure = draw_slices(slices_data(TRIALS, (BETA, BATCH, BETA, BETA, BATCH)[:n_axes], BEST))
    assert len(figure.axes) == n_axes
    rendered(figure)


def test_the_best_trial_is_drawn_beside_linear_models() -> None:
    linear = [(4, 7.4), (8, 6.9), (32, 6.6), (64, 6.4), (128, 6.0)]
    data = latent_dim_scores_data(TRIALS, linear, BEST)
    assert data is not None and data.finished == TrialPoints((0, 2, 6), (8, 32, 8), (7.0, 6.5, 6.8))
    figure = draw_latent_dim_scores(data)
    assert ring_position(figure) == (32.0, 6.5)
    line = next(line for line in figure.axes[0].lines if str(line.get_label()).startswith("linear model"))
    assert np.ravel(line.get_xdata()).tolist() == [8, 32, 64, 128], "from the smallest trial on"
    assert "Linear models with 64 to 128 dimensions score lower than the best trial with 32" in rendered(figure)


def test_a_line_of_few_linear_models_ends_before_the_trials() -> None:
    data = latent_dim_scores_data(TRIALS, [(1, 7.4), (4, 6.9)], BEST)
    assert data is not None
    axes = draw_latent_dim_scores(data).axes[0]
    assert any(tick >= 20 for tick in axes.get_xticks()), "the best trial, at 32, can be read off"


def test_trials_of_one_latent_dimension_and_a_study_without_baseline_have_no_such_figure() -> None:
    alike = TRIALS.assign(latent_dim=[8, 8, 8, 16, 16, 16, 8])
    assert latent_dim_scores_data(alike, [(8, 7.0)], BEST) is None, "others only failed or run"
    assert latent_dim_scores_data(TRIALS, [], BEST) is None


@pytest.mark.parametrize(
    ("scores", "title"),
    [
        ((7.0, 6.6), "No linear model of up to 2 dimensions scores lower than this model with 8"),
        ((7.0, 6.4, 6.3), "Linear models with 2 to 3 dimensions score lower than this model with 8"),
        ((7.0, 6.4, 6.9), "The linear model with 2 dimensions scores lower than this model with 8"),
    ],
)
def test_a_title_names_the_linear_models_that_score_lower(scores: tuple[float, ...], title: str) -> None:
    assert compare_with_linear_models(list(enumerate(scores, 1)), 8, 6.5, "this model") == title
