"""The figures of a study: their data compared as values, their drawings by what they render."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from hpo.analysis.data_frames import trials_frame
from hpo.analysis.ppca_baseline import ppca_baseline_of
from hpo.analysis.trial_table import trial_rows
from hpo.figures.study.importances import draw_importances
from hpo.figures.study.learning_curves import Learning, Line, draw_learning_curves, learning_data
from hpo.figures.study.parallel_coordinates import Parallel, draw_parallel_coordinates, parallel_data
from hpo.figures.study.rate_distortion import RateDistortionData, RatePoint, draw_rate_distortion, rate_distortion_data
from hpo.figures.study.score_history import History, draw_score_history, history_data
from hpo.figures.study.slices import Slices, draw_slices, slice_data
from hpo.figures.study.trial_points import Points, SearchAxis
from hpo.figures.style import as_svg, mark_values
from hpo.report.study_page_figures import axes_of
from hpo.search.best_trial import BestTrial, best_trial_of
from hpo.search.configurations import configurations_of
from tests.tools import synthetic

BETA = SearchAxis("beta", 0.25, 4.0, log=True)
BATCH = SearchAxis("batch_size", choices=(32, 64))
TRIALS = pd.DataFrame(
    [
        (0, "finished", 7.0, 100.0, -2000.0, 1.0, 8, 64),
        (1, "pruned", 7.5, 50.0, -1500.0, 4.0, 16, 32),
        (2, "finished", 6.5, 120.0, -3000.0, 0.25, 32, 32),
        (3, "diverged", np.nan, np.nan, np.nan, 1.0, 8, 64),
        (4, "failed", 9.0, np.nan, np.nan, 1.0, 8, 64),
        (5, "running", 6.0, np.nan, np.nan, 1.0, 8, 64),
        (6, "finished", 6.8, 110.0, -2500.0, 1.0, 8, 32),
    ],
    columns=["number", "kind", "val_bpd", "rate_nats", "distortion_nats", "beta", "latent_dim", "batch_size"],
)
CURVES: dict[int, tuple[tuple[float, float], ...]] = {
    **dict.fromkeys(range(7), ()),
    0: ((1.0, 7.2), (2.0, 7.0)),
    1: ((1.0, 7.5),),
    2: ((1.0, np.nan), (2.0, 6.5)),
}
BEST = BestTrial(2, 6.5)
# The trial of lowest score is another.
CHOSEN = BestTrial(6, 6.8, (6.9, 7.0))
NOTHING = TRIALS[TRIALS["kind"] == "nothing of the kind"]


def test_history_keeps_the_kinds_apart_and_steps_down_with_finished_trials_alone() -> None:
    assert history_data(TRIALS, BEST) == History(
        finished=Points((0, 2, 6), (0, 2, 6), (7.0, 6.5, 6.8)),
        pruned=Points((1,), (1,), (7.5,)),
        faulty=Points((4,), (4,), (9.0,)),
        best_so_far=((0, 7.0), (2, 6.5)),
        best=BEST,
        ceiling=None,
    )


def test_a_score_far_from_the_rest_is_cut_off() -> None:
    trials = pd.DataFrame({"number": range(11), "kind": "finished", "val_bpd": [*np.linspace(6.0, 7.0, 10), 90.0]})
    assert history_data(trials, None).ceiling == pytest.approx(7.5)
    assert history_data(trials[:10], None).ceiling is None
    assert history_data(trials[:1], None).ceiling is None


def test_learning_curves_leave_out_what_is_not_finite_and_trials_without_reports() -> None:
    assert learning_data(TRIALS, CURVES, BEST) == Learning(
        lines=(
            Line(0, "finished", (1.0, 2.0), (7.2, 7.0)),
            Line(1, "pruned", (1.0,), (7.5,)),
            Line(2, "finished", (2.0,), (6.5,)),
        ),
        best=BEST,
        ceiling=None,
    )


def test_slices_have_a_panel_for_each_hyperparameter() -> None:
    assert slice_data(TRIALS, (BETA, BATCH), BEST) == Slices(
        panels=(
            (BETA, Points((0, 2, 6), (1.0, 0.25, 1.0), (7.0, 6.5, 6.8)), Points((1,), (4.0,), (7.5,))),
            (BATCH, Points((0, 2, 6), (64, 32, 32), (7.0, 6.5, 6.8)), Points((1,), (32,), (7.5,))),
        ),
        best=BEST,
        ceiling=None,
    )


def test_parallel_coordinates_place_values_within_their_ranges() -> None:
    assert parallel_data(TRIALS, (BETA, BATCH), BEST) == Parallel(
        axes=(BETA, BATCH),
        finished=((0, (0.5, 0.75), 7.0), (2, (0.0, 0.25), 6.5), (6, (0.5, 0.25), 6.8)),
        pruned=((1.0, 0.25),),
        best=BEST,
    )


def test_a_position_is_linear_or_logarithmic_or_of_a_choice() -> None:
    assert [SearchAxis("x", 2.0, 4.0).position(value) for value in (2, 3, 4)] == [0.0, 0.5, 1.0]
    assert SearchAxis("x", 1.0, 100.0, log=True).position(10.0) == pytest.approx(0.5)
    assert SearchAxis("x", choices=("constant", "cosine")).position("cosine") == 0.75


def test_the_rate_distortion_plane_has_finished_and_pruned_trials_and_the_linear_model_in_order() -> None:
    data = rate_distortion_data(TRIALS, ((4, 60.0, -1000.0), (2, 40.0, -500.0)), BEST)
    assert data == RateDistortionData(
        points=(
            RatePoint(0, 100.0, -2000.0, 1.0, 8, True),
            RatePoint(1, 50.0, -1500.0, 4.0, 16, False),
            RatePoint(2, 120.0, -3000.0, 0.25, 32, True),
            RatePoint(6, 110.0, -2500.0, 1.0, 8, True),
        ),
        linear=((2, 40.0, -500.0), (4, 60.0, -1000.0)),
        best=BEST,
    )


def test_no_trial_makes_empty_data_everywhere() -> None:
    nobody = Points((), (), ())
    assert history_data(NOTHING, None) == History(nobody, nobody, nobody, (), None, None)
    assert learning_data(NOTHING, {}, None) == Learning((), None, None)
    assert slice_data(NOTHING, (BETA,), None) == Slices(((BETA, nobody, nobody),), None, None)
    assert parallel_data(NOTHING, (BETA,), None) == Parallel((BETA,), (), (), None)
    assert rate_distortion_data(NOTHING, (), None) == RateDistortionData((), (), None)


def words(figure: Figure) -> str:
    """Every text on it."""
    found = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]  # type: ignore[attr-defined]
    return " | ".join(found)


def rendered(figure: Figure) -> str:
    """Its texts, after it was drawn for real."""
    assert as_svg(figure).startswith(b"<?xml")
    figure.set_dpi(40)
    figure.canvas.draw()
    return words(figure)


def test_each_figure_renders_and_its_title_states_what_is_seen() -> None:
    assert "Best: trial 2 with 6.500; 3 trials finished, 1 pruned" in rendered(
        draw_score_history(history_data(TRIALS, BEST))
    )
    assert "1 of 3 trials were stopped early (×)" in rendered(draw_learning_curves(learning_data(TRIALS, CURVES, BEST)))
    shown = rendered(draw_importances({"beta": 0.25, "latent_dim": 0.75}, 5, 24))
    assert "Latent dimension sets the best 5 of 24 apart most" in shown and "75 %" in shown
    assert "In a ring the best: trial 2, 6.500" in rendered(draw_slices(slice_data(TRIALS, (BETA, BATCH), BEST)))
    assert "learning rate" not in rendered(draw_parallel_coordinates(parallel_data(TRIALS, (BETA, BATCH), BEST)))


def ring_on(figure: Figure) -> tuple[float, float]:
    """Where the mark of the best lies."""
    (ring,) = (line for line in figure.axes[0].lines if str(line.get_label()).startswith("best"))
    x, y = ring.get_data()
    return float(np.ravel(x)[0]), float(np.ravel(y)[0])


def test_where_new_seeds_have_chosen_figures_mark_that_trial_and_the_step_line_stays_the_lowest() -> None:
    drawn = draw_score_history(history_data(TRIALS, CHOSEN))
    shown = rendered(drawn)
    assert "Best by the mean of 2 new seeds: trial 6 with 6.950; 3 trials finished" in shown
    assert ring_on(drawn) == (6, 6.8)
    (steps,) = (line for line in drawn.axes[0].lines if line.get_label() == "lowest so far")
    assert list(steps.get_ydata()) == [7.0, 6.5, 6.5]  # type: ignore[arg-type]
    drawn = draw_slices(slice_data(TRIALS, (BETA, BATCH), CHOSEN))
    assert "In a ring the best by the mean of 2 new seeds: trial 6, 6.950" in rendered(drawn)
    assert ring_on(drawn) == (1.0, 6.8)
    for figure in (
        draw_learning_curves(learning_data(TRIALS, CURVES, CHOSEN)),
        draw_parallel_coordinates(parallel_data(TRIALS, (BETA, BATCH), CHOSEN)),
        draw_rate_distortion(rate_distortion_data(TRIALS, (), CHOSEN)),
    ):
        (legend,) = figure.legends
        assert "best by the mean of 2 new seeds: trial 6" in [text.get_text() for text in legend.get_texts()]
    (thick,) = (
        line
        for line in draw_parallel_coordinates(parallel_data(TRIALS, (BETA,), CHOSEN)).axes[0].lines
        if line.get_linewidth() > 3
    )
    assert list(thick.get_ydata()) == pytest.approx([0.5, 0.4])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("linear_nats", "title"),
    [
        (0.0, "3 of 3 finished trials beat the linear model of their size"),
        (-1900.0, "2 of 3 finished trials beat the linear model of their size"),
        (-2390.0, "1 of 3 finished trials beats the linear model of its size"),
        (-9999.0, "0 of 3 finished trials beat the linear model of their size"),
    ],
)
def test_the_rate_distortion_title_counts_who_beats_the_linear_model(linear_nats: float, title: str) -> None:
    linear = tuple((size, 100.0, linear_nats - 100) for size in (8, 16, 32))
    assert title in rendered(draw_rate_distortion(rate_distortion_data(TRIALS, linear, BEST)))


def test_the_rate_distortion_plane_renders_without_the_linear_model_and_with_one_beta() -> None:
    alike = TRIALS.assign(beta=0.0)
    shown = rendered(draw_rate_distortion(rate_distortion_data(alike, (), BEST)))
    assert "What each trial bought" in shown and "pPCA" not in shown


def test_history_without_a_finished_trial_says_so() -> None:
    shown = rendered(draw_score_history(history_data(TRIALS[TRIALS["kind"] != "finished"], None)))
    assert "No trial has finished yet: 1 pruned, 1 faulty" in shown


def test_marks_beyond_the_edge_are_counted_in_the_legend() -> None:
    trials = pd.DataFrame({"number": range(11), "kind": "finished", "val_bpd": [*np.linspace(6.0, 7.0, 10), 90.0]})
    assert "finished (1 beyond the upper edge)" in rendered(draw_score_history(history_data(trials, None)))


def test_a_drawing_is_the_same_bytes_each_time() -> None:
    first, second = (as_svg(draw_score_history(history_data(TRIALS, BEST))) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0.51, 1.86, [0.7, 1, 1.5]),
        (0.3, 3.0, [0.5, 1, 2]),
        (16.0, 256.0, [20, 50, 100, 200]),
        (1e-4, 1e-2, [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]),
        (1e-4, 10.0, [1e-4, 1e-3, 1e-2, 0.1, 1, 10]),
    ],
)
def test_a_logarithmic_axis_has_few_round_marks(low: float, high: float, marks: list[float]) -> None:
    axes = Figure().subplots()
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    mark_values(axes.xaxis, low, high, log=True)
    assert axes.get_xticks().tolist() == pytest.approx(marks)


@pytest.mark.parametrize("n_axes", [1, 3, 5])
def test_slices_render_at_any_number_of_hyperparameters(n_axes: int) -> None:
    figure = draw_slices(slice_data(TRIALS, (BETA, BATCH, BETA, BETA, BATCH)[:n_axes], BEST))
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
        draw_score_history(history_data(trials, best)),
        draw_learning_curves(learning_data(trials, curves, best)),
        draw_slices(slice_data(trials, axes, best)),
        draw_parallel_coordinates(parallel_data(trials, axes, best)),
        draw_rate_distortion(rate_distortion_data(trials, linear, best)),
    ):
        rendered(figure)
