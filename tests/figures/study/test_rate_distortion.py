"""The rate-distortion plane of a study: its data, its title, and drawing without pPCA."""

from __future__ import annotations

import pytest

from hpo.figures.study.rate_distortion import RateDistortionData, RatePoint, draw_rate_distortion, rate_distortion_data
from tests.figures.study.trials import BEST, TRIALS, rendered


def test_the_rate_distortion_plane_has_finished_and_pruned_trials_and_the_linear_model_in_order() -> None:
    data = rate_distortion_data(TRIALS, ((4, 60.0, -1000.0), (2, 40.0, -500.0)), BEST)
    assert data == RateDistortionData(
        points=(
            RatePoint(0, 100.0, -2000.0, 1.0, 8, True),
            RatePoint(1, 50.0, -1500.0, 4.0, 16, False),
            RatePoint(2, 120.0, -3000.0, 0.25, 32, True),
            RatePoint(6, 110.0, -2500.0, 1.0, 8, True),
        ),
        ppca=((2, 40.0, -500.0), (4, 60.0, -1000.0)),
        best=BEST,
    )


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
