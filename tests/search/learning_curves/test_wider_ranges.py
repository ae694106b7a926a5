"""Expected gains of wider ranges."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.stats import qmc

from hpo.optunahub.samplers.learning_curves.expected_gain import WiderRange
from hpo.optunahub.samplers.learning_curves.learning_curve_model import LearningCurveModel
from hpo.optunahub.samplers.learning_curves.search_space_transform import RangeEnd, SearchSpaceTransform
from hpo.search.configurations import Configuration
from hpo.search.learning_curves.further_search import FurtherSearch
from hpo.search.learning_curves.wider_ranges import wider_ranges
from tests.tools.synthetic_curves import SPACE, finished

N = 24
FURTHER = FurtherSearch(30.0, 9, 0.01)


def predicted(**ranges: Any) -> tuple[float, dict[tuple[str, bool], WiderRange]]:
    """Return the gain within the ranges, and what is beyond each end, of a study of finished trials."""
    space = {**SPACE, **ranges}
    cube, points = SearchSpaceTransform(space), qmc.Sobol(d=4, rng=1).random(32)[:N]
    configurations = [finished(number, cube.values(point), space) for number, point in enumerate(points)]
    sampler = LearningCurveModel(space, 8, n_startup=3, seed=0)
    within = sampler.predict_gain(configurations, 10)
    found = sampler.predict_wider(configurations, 10)
    assert within is not None and found == sampler.predict_wider(configurations, 10)
    return within, {(wider.end.name, wider.end.is_upper): wider for wider in found}


def test_a_range_that_ends_short_of_the_optimum_is_worth_more_beyond_that_end_than_within() -> None:
    # The best learning rate is 2e-3, or more in large batches.
    within, beyond = predicted(learning_rate=FloatDistribution(1e-4, 6e-4, log=True))
    upper = beyond.pop(("learning_rate", True))
    assert upper.end.value == pytest.approx(6e-4 * 6**0.25)
    assert upper.gain > 1.5 * within > 0
    assert upper.gain > 1.5 * max(wider.gain for wider in beyond.values())
    assert beyond["learning_rate", False].gain < 0.001


def test_ranges_around_the_optimum_are_worth_no_more_beyond_their_ends() -> None:
    within, beyond = predicted()
    assert len(beyond) == 6, "batch sizes are choices"
    assert max(wider.gain for wider in beyond.values()) < within


class _Predicting:
    """Sampler that predicts given ranges."""

    def __init__(self, *ranges: WiderRange) -> None:
        self._ranges = list(ranges)

    def predict_wider(self, configurations: Sequence[Configuration], n_new: int) -> list[WiderRange]:
        assert n_new == FURTHER.n_configurations
        return self._ranges


UPPER = RangeEnd("beta", 0, True, 3.0, 4.0)


@pytest.mark.parametrize(
    ("gain", "edges", "is_shown"),
    [
        (0.0, {"beta": "upper"}, True),
        (0.0129, {"beta": "lower", "learning_rate": "upper"}, False),
        (0.0131, {}, True),
    ],
)
def test_shown_are_ranges_at_whose_end_the_best_lies_and_those_worth_clearly_more_than_a_search_within(
    gain: float, edges: dict[str, str], is_shown: bool
) -> None:
    wider = WiderRange(UPPER, gain)
    assert wider_ranges([], _Predicting(wider), FURTHER, edges) == [wider] * is_shown


def test_nothing_is_shown_without_a_prediction() -> None:
    predicting = _Predicting(WiderRange(UPPER, 0.1))
    assert wider_ranges([], predicting, None, {"beta": "upper"}) == []
    assert wider_ranges([], object(), FURTHER, {"beta": "upper"}) == []


CUBE = SearchSpaceTransform(
    {
        "schedule": CategoricalDistribution(("constant", "cosine")),
        "beta": FloatDistribution(0.1, 10.0, log=True),
        "warmup_epochs": FloatDistribution(0.0, 2.0),
        "latent_dim": IntDistribution(2, 8, log=True),
        "max_shift": IntDistribution(0, 1),
        "adam_beta2": FloatDistribution(0.9, 0.98),
    }
)
BOUNDS = {"warmup_epochs": {"ge": 0}, "latent_dim": {"ge": 1, "le": 9}, "max_shift": {"ge": 0}, "adam_beta2": {"lt": 1}}


def test_ends_of_ranges_go_on_by_a_share_of_the_width_within_the_bounds() -> None:
    ends = {(end.name, end.is_upper): end for end in CUBE.ends_of_ranges(0.25, BOUNDS)}
    values = {key: end.value for key, end in ends.items()}
    assert values == {
        ("beta", False): pytest.approx(0.1 / 10**0.5),
        ("beta", True): pytest.approx(10 * 10**0.5),
        ("warmup_epochs", True): 2.5,
        ("latent_dim", False): 1,
        ("latent_dim", True): 9,
        ("max_shift", True): 2,
        ("adam_beta2", False): pytest.approx(0.88),
        ("adam_beta2", True): pytest.approx(0.99),
    }
    assert ends["max_shift", True] == RangeEnd("max_shift", 5, True, 1, 2)
    assert CUBE.ends_of_ranges(0.25, {"beta": {"gt": 0}})[0].value == pytest.approx(0.05), "halfway to zero"


def test_features_beyond_an_end_are_those_of_new_values() -> None:
    ends = {(end.name, end.is_upper): end for end in CUBE.ends_of_ranges(0.25, {})}
    shares = np.array([0.0, 0.4, 1.0])
    assert CUBE.coordinates_beyond(ends["beta", False], shares) == pytest.approx([0, -0.1, -0.25])
    latent = CUBE.coordinates_beyond(ends["latent_dim", True], np.linspace(0, 1, 20))
    assert set(np.round(2 * 4**latent, 6)) == {9, 10, 11}, "whole numbers"
    assert CUBE.coordinates_beyond(ends["max_shift", True], shares) == pytest.approx([2, 2, 2])
