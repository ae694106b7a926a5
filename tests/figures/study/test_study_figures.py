"""The other figures of a study: their data as values, their drawings by the texts that they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpo.analysis.data_frames import trials_frame
from hpo.analysis.ppca_baseline import ppca_baseline_of
from hpo.analysis.trial_table import trial_rows
from hpo.figures.study.importances import draw_importances
from hpo.figures.study.learning_curves import LearningCurve, LearningCurves, draw_learning_curves, learning_curves_data
from hpo.figures.study.parallel_coordinates import (
    ParallelCoordinates,
    draw_parallel_coordinates,
    parallel_coordinates_data,
)
from hpo.figures.study.rate_distortion import RateDistortionData, draw_rate_distortion, rate_distortion_data
from hpo.figures.study.score_history import ScoreHistory, draw_score_history, score_history_data
from hpo.figures.study.slices import Slices, draw_slices, slices_data
from hpo.figures.study.trial_points import SearchAxis, TrialPoints
from hpo.report.study_page_figures import axes_of
from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import configurations_of
from tests.figures.study.trials import BATCH, BEST, BETA, CHOSEN, CURVES, NOTHING, TRIALS, rendered, ring_on
from tests.tools import synthetic


def test_history_keeps_the_kinds_apart_and_steps_down_with_finished_trials_alone() -> None:
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


def test_learning_curves_leave_out_what_is_not_finite_and_trials_without_reports() -> None:
    assert learning_curves_data(TRIALS, CURVES, BEST) == LearningCurves(
        curves=(
            LearningCurve(0, "finished", (1.0, 2.0), (7.2, 7.0)),
            LearningCurve(1, "pruned", (1.0,), (7.5,)),
            LearningCurve(2, "finished", (2.0,), (6.5,)),
        ),
        best=BEST,
        ceiling=None,
    )


def test_slices_have_a_panel_for_each_hyperparameter() -> None:
    assert slices_data(TRIALS, (BETA, BATCH), BEST) == Slices(
        panels=(
            (BETA, TrialPoints((0, 2, 6), (1.0, 0.25, 1.0), (7.0, 6.5, 6.8)), TrialPoints((1,), (4.0,), (7.5,))),
            (BATCH, TrialPoints((0, 2, 6), (64, 32, 32), (7.0, 6.5, 6.8)), TrialPoints((1,), (32,), (7.5,))),
        ),
        best=BEST,
        ceiling=None,
    )


def test_parallel_coordinates_place_values_within_their_ranges() -> None:
    assert parallel_coordinates_data(TRIALS, (BETA, BATCH), BEST) == ParallelCoordinates(
        axes=(BETA, BATCH),
        finished=((0, (0.5, 0.75), 7.0), (2, (0.0, 0.25), 6.5), (6, (0.5, 0.25), 6.8)),
        pruned=((1.0, 0.25),),
        best=BEST,
    )


def test_a_position_is_linear_or_logarithmic_or_of_a_choice() -> None:
    assert [SearchAxis("x", 2.0, 4.0).position(value) for value in (2, 3, 4)] == [0.0, 0.5, 1.0]
    assert SearchAxis("x", 1.0, 100.0, log=True).position(10.0) == pytest.approx(0.5)
    assert SearchAxis("x", choices=("constant", "cosine")).position("cosine") == 0.75


def test_no_trial_makes_empty_data_everywhere() -> None:
    nobody = TrialPoints((), (), ())
    assert score_history_data(NOTHING, None) == ScoreHistory(nobody, nobody, nobody, (), None, None)
    assert learning_curves_data(NOTHING, {}, None) == LearningCurves((), None, None)
    assert slices_data(NOTHING, (BETA,), None) == Slices(((BETA, nobody, nobody),), None, None)
    assert parallel_coordinates_data(NOTHING, (BETA,), None) == ParallelCoordinates((BETA,), (), (), None)
    assert rate_distortion_data(NOTHING, (), None) == RateDistortionData((), (), None)


def test_each_figure_renders_and_its_title_states_what_is_seen() -> None:
    assert "Best: trial 2 with 6.500; 3 trials finished, 1 pruned" in rendered(
        draw_score_history(score_history_data(TRIALS, BEST))
    )
    assert "1 of 3 trials were stopped early (×)" in rendered(
        draw_learning_curves(learning_curves_data(TRIALS, CURVES, BEST))
    )
    shown = rendered(draw_importances({"beta": 0.25, "latent_dim": 0.75}, 5, 24))
    assert "Latent dimension sets the best 5 of 24 apart most" in shown and "75 %" in shown
    assert "In a ring the best: trial 2, 6.500" in rendered(draw_slices(slices_data(TRIALS, (BETA, BATCH), BEST)))
    assert "learning rate" not in rendered(
        draw_parallel_coordinates(parallel_coordinates_data(TRIALS, (BETA, BATCH), BEST))
    )


def test_where_new_seeds_have_chosen_figures_mark_that_trial_and_the_step_line_stays_the_lowest() -> None:
    drawn = draw_score_history(score_history_data(TRIALS, CHOSEN))
    shown = rendered(drawn)
    assert "Best by the mean of 2 new seeds: trial 6 with 6.950; 3 trials finished" in shown
    assert ring_on(drawn) == (6, 6.8)
    (steps,) = (line for line in drawn.axes[0].lines if line.get_label() == "lowest so far")
    assert list(steps.get_ydata()) == [7.0, 6.5, 6.5]  # type: ignore[arg-type]
    drawn = draw_slices(slices_data(TRIALS, (BETA, BATCH), CHOSEN))
    assert "In a ring the best by the mean of 2 new seeds: trial 6, 6.950" in rendered(drawn)
    assert ring_on(drawn) == (1.0, 6.8)
    for figure in (
        draw_learning_curves(learning_curves_data(TRIALS, CURVES, CHOSEN)),
        draw_parallel_coordinates(parallel_coordinates_data(TRIALS, (BETA, BATCH), CHOSEN)),
        draw_rate_distortion(rate_distortion_data(TRIALS, (), CHOSEN)),
    ):
        (legend,) = figure.legends
        assert "best by the mean of 2 new seeds: trial 6" in [text.get_text() for text in legend.get_texts()]
    (thick,) = (
        line
        for line in draw_parallel_coordinates(parallel_coordinates_data(TRIALS, (BETA,), CHOSEN)).axes[0].lines
        if line.get_linewidth() > 3
    )
    assert list(thick.get_ydata()) == pytest.approx([0.5, 0.4])  # type: ignore[arg-type]


def test_history_without_a_finished_trial_says_so() -> None:
    shown = rendered(draw_score_history(score_history_data(TRIALS[TRIALS["kind"] != "finished"], None)))
    assert "No trial has finished yet: 1 pruned, 1 faulty" in shown


def test_marks_beyond_the_edge_are_counted_in_the_legend() -> None:
    trials = pd.DataFrame({"number": range(11), "kind": "finished", "val_bpd": [*np.linspace(6.0, 7.0, 10), 90.0]})
    assert "finished (1 beyond the upper edge)" in rendered(draw_score_history(score_history_data(trials, None)))


@pytest.mark.parametrize("n_axes", [1, 3, 5])
def test_slices_render_at_any_number_of_hyperparameters(n_axes: int) -> None:
    figure = draw_slices(slices_data(TRIALS, (BETA, BATCH, BETA, BETA, BATCH)[:n_axes], BEST))
    assert len(figure.axes) == n_axes
    rendered(figure)


def test_a_whole_search_renders_from_its_database(tmp_path: Path) -> None:
    at_hand = synthetic.create(tmp_path)
    synthetic.add_search(at_hand, 30, pictures=False)
    synthetic.write_ppca_baseline(at_hand)
    trials, axes = trials_frame(trial_rows(at_hand.study, at_hand.config), at_hand.config), axes_of(at_hand.config)
    curves = {row.number: row.curve for row in trial_rows(at_hand.study, at_hand.config)}
    curve = ppca_baseline_of(at_hand.study, at_hand.paths).curve
    linear = [(size, one.rate_nats, one.distortion_nats) for size, one in curve.items()]
    best = best_trial_of(configurations_of(at_hand.study))
    for figure in (
        draw_score_history(score_history_data(trials, best)),
        draw_learning_curves(learning_curves_data(trials, curves, best)),
        draw_slices(slices_data(trials, axes, best)),
        draw_parallel_coordinates(parallel_coordinates_data(trials, axes, best)),
        draw_rate_distortion(rate_distortion_data(trials, linear, best)),
    ):
        rendered(figure)
