"""Interactive figures of the dashboard, compared as data."""

import math
from dataclasses import replace

import plotly.graph_objects as go

from hpo.dashboard.interactive_figures.layout import score_range
from hpo.dashboard.interactive_figures.learning_curves import draw_interactive_learning_curves
from hpo.dashboard.interactive_figures.plotted_trial import PlottedTrial
from hpo.dashboard.interactive_figures.rate_distortion import (
    BetaScale,
    IsoScore,
    PpcaPoint,
    beta_scale,
    draw_interactive_rate_distortion,
    marker_sizes,
    rate_distortion_ranges,
)
from hpo.dashboard.interactive_figures.score_against_compute import (
    ScoreAgainstCompute,
    draw_score_against_compute,
    score_against_compute_data,
)
from hpo.search.best_trial import BestTrial

FINISHED = PlottedTrial(0, "finished", 1.0, 128, 100.0, -2000.0, 7.0, 60.0, ((1.0, 7.4), (2.0, 7.0)))
PRUNED = PlottedTrial(1, "pruned", 0.1, 32, 300.0, -1500.0, 7.6, 30.0, ((1.0, 7.6),))
BETTER = PlottedTrial(2, "finished", 10.0, 8, 50.0, -2100.0, 6.9, 90.0, ((1.0, 7.3), (2.0, 6.9)))
DIVERGED = PlottedTrial(3, "diverged", 3.0, 64, 90.0, 9000.0, 12.0, 20.0, ((1.0, 12.0),))
TRIALS = (FINISHED, PRUNED, BETTER, DIVERGED)
PCA_CURVE = (PpcaPoint(8, 60.0, -2600.0, 6.8), PpcaPoint(128, 500.0, -4000.0, 6.2))


def trace(figure: go.Figure, name: str) -> go.Scatter:
    """Return the only trace whose name begins so."""
    (match,) = (trace for trace in figure.data if trace.name and trace.name.startswith(name))
    return match


# Data


def test_spending_adds_up_all_trials_and_follows_the_best_finished_one() -> None:
    expected = ScoreAgainstCompute(
        "minutes", (1.0, 1.5, 3.0, 3.0 + 1 / 3), ((1.0, 7.0), (3.0, 6.9), (3.0 + 1 / 3, 6.9))
    )
    assert score_against_compute_data(TRIALS) == expected


def test_a_long_search_counts_in_hours() -> None:
    assert score_against_compute_data((replace(FINISHED, seconds=7200.0),)) == ScoreAgainstCompute(
        "hours", (2.0,), ((2.0, 7.0), (2.0, 7.0))
    )


def test_the_area_of_a_marker_grows_with_the_latent_dimension() -> None:
    assert marker_sizes([128, 32, 2]) == [30.0, 15.0, 8.0]


def test_the_score_axis_leaves_out_trials_that_diverged() -> None:
    low, high = score_range(TRIALS) or (0.0, 0.0)
    assert low < 6.9 and 7.6 < high < 8.0
    assert score_range((DIVERGED,)) is None


def test_rate_and_distortion_axes_show_the_finished_trials_and_ppca_below_them() -> None:
    few = rate_distortion_ranges((FINISHED, PRUNED), ())
    assert few[0][0] < 100 and few[0][1] > 300, "with few finished trials, all trials are shown"
    third = replace(FINISHED, number=4, rate_nats=80.0)
    rates, distortions = rate_distortion_ranges((*TRIALS, third), PCA_CURVE)
    assert rates[0] < 50 and 100 < rates[1] < 300
    assert distortions[0] < -2600 and distortions[1] < -1500, "pPCA lies below them"


def test_the_colour_bar_of_beta_has_ticks_on_a_log_scale() -> None:
    scale = beta_scale([0.1, 1.0, 10.0])
    assert scale == BetaScale((-1.0, 0.0, 1.0), (-1.0, -0.5, 0.0, 0.5, 1.0), ("0.1", "0.32", "1", "3.2", "10"))
    assert beta_scale([1.0, 1.0]) == BetaScale((0.0, 0.0), (0.0,), ("1",))
    assert beta_scale([1e-6, 1e-2]).labels == ("1e-06", "1e-05", "0.0001", "0.001", "0.01")


# Figures


def test_every_trial_is_a_marker_coloured_by_beta_and_sized_by_latent_dimension() -> None:
    figure = draw_interactive_rate_distortion(TRIALS, PCA_CURVE, [IsoScore(7.0, -2000.0)])
    cloud = trace(figure, "trials")
    assert (list(cloud.x), list(cloud.y)) == ([100.0, 300.0, 50.0, 90.0], [-2000.0, -1500.0, -2100.0, 9000.0])
    assert list(cloud.marker.color) == [0.0, -1.0, 1.0, round(math.log10(3), 4)]
    assert list(cloud.marker.size) == marker_sizes([128, 32, 8, 64])
    assert list(cloud.marker.symbol) == ["circle", "x", "circle", "circle"]
    assert cloud.text[1] == "trial 1, pruned<br>val_bpd 7.6000<br>β 0.1, latent dimension 32"
    line = trace(figure, "probabilistic PCA")
    assert (list(line.x), list(line.y)) == ([60.0, 500.0], [-2600.0, -4000.0])
    assert [list(point) for point in line.customdata] == [[8, 6.8], [128, 6.2]]
    assert figure.data[-1] is cloud, "above all lines"


def test_a_beta_of_zero_makes_the_colour_scale_linear() -> None:
    cloud = trace(
        draw_interactive_rate_distortion((replace(FINISHED, beta=0.0), replace(FINISHED, beta=1.0)), (), ()), "trials"
    )
    assert list(cloud.marker.color) == [0.0, 1.0]
    assert list(cloud.marker.colorbar.ticktext) == ["0", "0.25", "0.5", "0.75", "1"]


def test_learning_curves_have_gaps_between_trials_and_crosses_where_trials_were_pruned() -> None:
    figure = draw_interactive_learning_curves(TRIALS, BestTrial(2, 6.9))
    finished = trace(figure, "finished")
    assert list(finished.x) == [1.0, 2.0, None, 1.0, 2.0, None]
    assert list(finished.y) == [7.4, 7.0, None, 7.3, 6.9, None]
    assert list(finished.text) == ["trial 0"] * 3 + ["trial 2"] * 3
    assert list(trace(figure, "pruned").y) == [7.6, None]
    assert list(trace(figure, "ended by a fault").y) == [12.0, None]
    assert list(trace(figure, "best: trial 2").y) == [7.3, 6.9, None]
    stops = trace(figure, "stopped by the pruner")
    assert (list(stops.x), list(stops.y), stops.marker.symbol) == ([1.0], [7.6], "x")


def test_learning_curves_mark_the_trial_that_was_chosen_by_new_seeds() -> None:
    figure = draw_interactive_learning_curves(TRIALS, BestTrial(0, 7.0, (7.1,)))
    assert list(trace(figure, "best by a new seed: trial 0").y) == [7.4, 7.0, None]


def test_scores_are_plotted_against_the_compute_spent_so_far() -> None:
    figure = draw_score_against_compute(TRIALS)
    assert figure.layout.xaxis.title.text == "minutes of training, all trials so far"
    assert (list(trace(figure, "finished").x), list(trace(figure, "finished").y)) == ([1.0, 3.0], [7.0, 6.9])
    assert (list(trace(figure, "pruned").x), list(trace(figure, "pruned").y)) == ([1.5], [7.6])
    steps = trace(figure, "best so far")
    assert (steps.line.shape, list(steps.y)) == ("hv", [7.0, 6.9, 6.9])


def test_figures_are_stored_without_plotlys_template_and_as_plain_numbers() -> None:
    for figure in (
        draw_interactive_rate_distortion(TRIALS, (), ()),
        draw_interactive_learning_curves(TRIALS, None),
        draw_score_against_compute(TRIALS),
    ):
        stored = figure.to_json()
        assert len(stored) < 5000
        assert "bdata" not in stored, "an older plotly in the browser does not draw packed arrays"
