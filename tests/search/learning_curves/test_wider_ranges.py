"""What wider ranges are expected to bring."""

from collections.abc import Sequence
from math import log
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial
from scipy.stats import qmc

from hpo.search.configurations import END, Configuration
from hpo.search.learning_curve_sampler import LearningCurveSampler
from hpo.search.learning_curves.further_search import FurtherSearch
from hpo.search.learning_curves.wider_ranges import WiderRange, wider_ranges
from hpo.search.search_space_transform import RangeEnd, SearchSpaceTransform
from tests.tools.synthetic_curves import SPACE, true_curve

N = 24
FURTHER = FurtherSearch(30.0, 9, 0.01)


def finished(number: int, values: dict[str, Any], space: dict[str, Any]) -> Configuration:
    curve = [float(score) for score in true_curve(values)]
    trial = create_trial(
        value=curve[-1],
        params=values,
        distributions=space,
        intermediate_values=dict(enumerate(curve, start=1)),
        user_attrs={END: "finished"},
    )
    trial.number = number
    return Configuration([trial])


def predicted(**ranges: Any) -> tuple[float, dict[tuple[str, bool], WiderRange]]:
    """Return the gain within the ranges, and what is beyond each end, of a study of finished trials."""
    space = {**SPACE, **ranges}
    cube, points = SearchSpaceTransform(space), qmc.Sobol(d=4, rng=1).random(32)[:N]
    configurations = [finished(number, cube.values(point), space) for number, point in enumerate(points)]
    sampler = LearningCurveSampler(space, 8, n_startup=3, seed=0)
    within = sampler.predict_gain(configurations, 10)
    found = sampler.predict_wider(configurations, 10)
    assert within is not None and found == sampler.predict_wider(configurations, 10)
    return within, {(wider.name, wider.is_upper): wider for wider in found}


def test_a_range_that_ends_short_of_the_optimum_is_worth_more_beyond_that_end_than_within() -> None:
    # The best learning rate is 2e-3, or more in large batches.
    within, beyond = predicted(learning_rate=FloatDistribution(1e-4, 6e-4, log=True))
    upper = beyond.pop(("learning_rate", True))
    assert upper.value == pytest.approx(6e-4 * 6**0.25)
    assert upper.gain > 1.5 * within > 0
    assert upper.gain > 1.5 * max(wider.gain for wider in beyond.values())
    assert beyond["learning_rate", False].gain < 0.001


def test_ranges_around_the_optimum_are_worth_no_more_beyond_their_ends() -> None:
    within, beyond = predicted()
    assert len(beyond) == 6, "batch sizes are choices"
    assert max(wider.gain for wider in beyond.values()) < within
    assert not any(wider.is_at_edge for wider in beyond.values())


class _Predicting:
    """Sampler that predicts given ranges."""

    def __init__(self, *ranges: WiderRange) -> None:
        self._ranges = list(ranges)

    def predict_wider(self, configurations: Sequence[Configuration], n_new: int) -> list[WiderRange]:
        assert n_new == FURTHER.n_configurations
        return self._ranges


@pytest.mark.parametrize(
    ("wider", "is_told"),
    [
        (WiderRange("beta", 4.0, True, 0.0, is_at_edge=True), True),
        (WiderRange("beta", 4.0, True, 0.009, is_at_edge=False), False),
        (WiderRange("beta", 4.0, True, 0.011, is_at_edge=False), True),
        (WiderRange("adam_beta2", 1.0, True, 0.011, is_at_edge=True), False),
        (WiderRange("latent_dim", 3072, True, 0.011, is_at_edge=True), True),
        (WiderRange("latent_dim", 3073, True, 0.011, is_at_edge=True), False),
        (WiderRange("warmup_epochs", -0.1, False, 0.011, is_at_edge=True), False),
    ],
)
def test_told_are_admitted_ranges_at_the_best_value_and_those_worth_more_than_a_search_within(
    wider: WiderRange, is_told: bool
) -> None:
    assert wider_ranges([], _Predicting(wider), FURTHER) == [wider] * is_told


def test_little_is_not_told_and_nothing_without_a_prediction() -> None:
    little = WiderRange("beta", 4.0, True, 0.0029, is_at_edge=False)
    assert wider_ranges([], _Predicting(little), FurtherSearch(30.0, 9, 0.0)) == []
    assert wider_ranges([], _Predicting(little), None) == []
    assert wider_ranges([], object(), FURTHER) == []


def test_ends_of_ranges_lie_a_share_of_the_width_beyond() -> None:
    cube = SearchSpaceTransform(
        {
            "schedule": CategoricalDistribution(("constant", "cosine")),
            "beta": FloatDistribution(0.1, 10.0, log=True),
            "warmup_epochs": FloatDistribution(0.0, 2.0),
            "latent_dim": IntDistribution(2, 8, log=True),
            "max_shift": IntDistribution(0, 1),
        }
    )
    beta, also_beta, warmup, also_warmup, latent, also_latent = cube.ends_of_ranges(0.25)
    assert (beta.name, beta.column, beta.coordinate, beta.beyond) == ("beta", 2, 0.0, -0.25)
    assert [beta.value, also_beta.value] == pytest.approx([0.1 / 10**0.5, 10 * 10**0.5])
    assert warmup == RangeEnd("warmup_epochs", 3, 0.0, -0.25, -0.5)
    assert also_warmup == RangeEnd("warmup_epochs", 3, 1.0, 1.25, 2.5)
    assert (latent.value, also_latent.value) == (1, 11), "whole numbers"
    assert also_latent.beyond == pytest.approx(log(11 / 2) / log(4))
    assert np.isclose(latent.beyond, -0.5)
