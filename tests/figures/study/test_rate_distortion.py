"""Figure of distortion against rate: its data, its title, and drawing without pPCA."""

from __future__ import annotations

import pytest

from hpo.figures.study.rate_distortion import RateDistortionData, RatePoint, draw_rate_distortion, rate_distortion_data
from tests.figures.study.trials import BEST, TRIALS, rendered


def test_data_are_finished_and_pruned_trials_and_ppca_sorted_by_latent_dimension() -> None:
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
    ("ppca_nats", "title"),
    [
        (0.0, "3 of 3 finished trials beat the linear model of their size"),
        (-1900.0, "2 of 3 finished trials beat the linear model of their size"),
        (-2390.0, "1 of 3 finished trials beats the linear model of its size"),
        (-9999.0, "0 of 3 finished trials beat the linear model of their size"),
    ],
)
def test_title_counts_trials_that_beat_ppca(ppca_nats: float, title: str) -> None:
    ppca = tuple((latent_dim, 100.0, ppca_nats - 100) for latent_dim in (8, 16, 32))
    assert title in rendered(draw_rate_distortion(rate_distortion_data(TRIALS, ppca, BEST)))


def test_drawing_without_ppca_and_with_one_beta() -> None:
    one_beta = TRIALS.assign(beta=0.0)
    texts = rendered(draw_rate_distortion(rate_distortion_data(one_beta, (), BEST)))
    assert "What each trial bought" in texts and "pPCA" not in texts
