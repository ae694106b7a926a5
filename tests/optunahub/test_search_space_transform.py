"""Transformation between hyperparameter values and points of the unit cube."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hpo.optunahub.samplers.learning_curves.search_space_transform import SearchSpaceTransform

MIXED = SearchSpaceTransform(
    {
        "beta": FloatDistribution(0.1, 10.0, log=True),
        "latent_dim": IntDistribution(16, 256, log=True),
        "warmup_epochs": FloatDistribution(0.0, 2.0),
        "batch_size": CategoricalDistribution((64, 16, 32)),
        "schedule": CategoricalDistribution(("constant", "cosine")),
    }
)


def test_values_become_a_point_of_the_unit_cube_and_back() -> None:
    values = {"beta": 1.0, "latent_dim": 64, "warmup_epochs": 0.5, "batch_size": 32, "schedule": "cosine"}
    features = MIXED.features(values)
    # The middle of a log scale; 16 < 32 < 64, whatever their order in the file; words are one-hot.
    assert features == pytest.approx([0.5, 0.5, 0.25, 0.5, 0.0, 1.0])
    assert MIXED.values(features) == pytest.approx(values)


def test_a_point_outside_of_the_cube_becomes_the_nearest_values() -> None:
    assert MIXED.values(np.array([-1.0, 2.0, 1.0, 0.7, 0.9, 0.2])) == pytest.approx(
        {"beta": 0.1, "latent_dim": 256, "warmup_epochs": 2.0, "batch_size": 32, "schedule": "constant"}
    )

    for coordinate, size in ((-1.0, 16), (2.0, 64)):
        assert MIXED.values(np.array([0.5, 0.5, 0.5, coordinate, 0.0, 1.0]))["batch_size"] == size


@pytest.mark.parametrize(
    ("choices", "choice", "features"),
    [
        ((16, 32), 32, [1.0]),
        ((16,), 16, [0.0]),
        ((1.5, 0.5, 4), 1.5, [0.5]),
        ((False, True), True, [0.0, 1.0]),
        ((8, "auto"), 8, [1.0, 0.0]),
    ],
)
def test_only_choices_that_are_all_numbers_have_an_order(
    choices: tuple[float | str, ...], choice: float | str, features: list[float]
) -> None:
    transform = SearchSpaceTransform({"choice": CategoricalDistribution(choices)})
    assert transform.n_features == len(features)
    assert transform.features({"choice": choice}).tolist() == features
    assert transform.values(np.array(features)) == {"choice": choice}


def test_whole_numbers_are_the_nearest_and_all_values_lie_in_their_ranges() -> None:
    transform = SearchSpaceTransform(
        {
            "n": IntDistribution(1, 5),
            "rate": FloatDistribution(1e-4, 1e-2, log=True),
            "m": IntDistribution(3, 7, log=True),
        }
    )
    assert transform.values(np.array([0.6, 0.0, 0.0])) == pytest.approx({"n": 3, "rate": 1e-4, "m": 3})
    assert transform.values(np.array([0.7, 1.0, 1.0])) == pytest.approx({"n": 4, "rate": 1e-2, "m": 7})
    assert all(isinstance(transform.values(np.array([0.7] * 3))[name], int) for name in ("n", "m"))
