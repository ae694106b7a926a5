"""Figure of distortion against rate: its data, its title, and drawing without pPCA."""

from __future__ import annotations

import pytest

from hpo.figures.study.rate_distortion import draw_rate_distortion
from hpo.figures.study.rate_distortion_data import RateDistortionData, RatePoint, rate_distortion_data
from tests.figures.study.trials import BEST, TRIALS, rendered


def test_data_are_finished_and_pruned_trials_and_ppca_sorted_by_latent_dimension() -> None:
    data = rate_distortion_data(TRIALS, ((4, 60.0, -1000.0), (2, 40.0, -500.0)), BEST, {0: False, 2: True})
    assert data == RateDistortionData(
        points=(
            RatePoint(0, 100.0, -2000.0, 1.0, 8, True, False),
            RatePoint(1, 50.0, -1500.0, 4.0, 16, False, None),
            RatePoint(2, 120.0, -3000.0, 0.25, 32, True, True),
            RatePoint(6, 110.0, -2500.0, 1.0, 8, True, None),
        ),
        ppca=((2, 40.0, -500.0), (4, 60.0, -1000.0)),
        best=BEST,
    )


@pytest.mark.parametrize(
    ("ahead", "title"),
    [
        ((0, 2, 6), "3 of 3 finished trials beat the linear model of their size"),
        ((0, 6), "2 of 3 finished trials beat the linear model of their size"),
        ((2,), "1 of 3 finished trials beats the linear model of its size"),
        ((), "0 of 3 finished trials beat the linear model of their size"),
    ],
)
def test_title_counts_trials_that_beat_ppca(ahead: tuple[int, ...], title: str) -> None:
    beats_ppca = {number: number in ahead for number in (0, 2, 6)}
    data = rate_distortion_data(TRIALS, ((8, 100.0, -2000.0),), BEST, beats_ppca)
    assert title in rendered(draw_rate_distortion(data))


def test_drawing_without_ppca_and_with_one_beta() -> None:
    one_beta = TRIALS.assign(beta=0.0)
    texts = rendered(draw_rate_distortion(rate_distortion_data(one_beta, (), BEST, {})))
    assert "Rate and distortion of each trial" in texts and "pPCA" not in texts
