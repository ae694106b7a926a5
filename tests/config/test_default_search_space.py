"""Search space of a study file that has none."""

import pytest

from hpo.config.default_search_space import default_search_space
from hpo.config.hyperparameters import Choices, Range
from hpo.config.search_space import searched
from tests.config.study_file_texts import read


@pytest.mark.parametrize(
    ("n_train", "latent_dims", "batch_sizes", "max_shift"),
    [
        (80, (2, 32), (8, 16), 1),
        (800, (5, 80), (8, 16, 32), 1),
        (4_500, (28, 450), (32, 64, 128), 1),
        (19_999, (32, 512), (32, 64, 128), 1),
        (20_000, (32, 512), (32, 64, 128), 0),
        (1_000_000, (32, 512), (32, 64, 128), 0),
    ],
)
def test_the_search_space_follows_from_the_number_of_training_images(
    n_train: int, latent_dims: tuple[int, int], batch_sizes: tuple[int, ...], max_shift: int
) -> None:
    space = default_search_space(n_train)
    assert searched(space).keys() == {"beta", "latent_dim", "learning_rate", "batch_size"}
    assert space.entries()["latent_dim"] == Range[int](low=latent_dims[0], high=latent_dims[1], log=True)
    assert space.entries()["batch_size"] == Choices[int](choices=batch_sizes)
    assert space.largest("batch_size") <= n_train
    assert (space.fixed()["horizontal_flip"], space.fixed()["max_shift"]) == (True, max_shift)


@pytest.mark.usefixtures("empty_checkout")
def test_a_file_needs_no_more_than_its_images() -> None:
    config = read("data: sample\n")
    assert "hyperparameters" not in config.model_fields_set
    assert (config.training.epochs, config.retrain.epochs) == ("auto", "auto")
    assert (config.budget.trials, config.budget.timeout_minutes) == (None, 30)


def test_batches_fit_between_reports_and_codes_into_the_features() -> None:
    space = default_search_space(240, report_every=0.05, n_features=20)
    assert space.entries()["batch_size"] == Choices[int](choices=(8,))
    assert space.entries()["latent_dim"] == Range[int](low=1, high=20, log=True)
    assert default_search_space(80, report_every=0.05).entries()["batch_size"] == Choices[int](choices=(4,))
