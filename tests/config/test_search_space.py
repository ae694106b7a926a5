"""Search space: from a study file to the configuration of a trial."""

from pathlib import Path

import optuna
import pytest

from hpo.config.hyperparameters import Choices, Hyperparameters, Range
from hpo.config.schema import StudyConfig
from hpo.config.search_space import (
    edge_of,
    n_configurations,
    repetition_notice,
    suggest,
    trial_config,
    tutorial_values,
    untuned_values,
)
from hpo.config.study_file import read_config
from tests.config.study_file_texts import BUDGET, read

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "study_configs").glob("*.yaml"))


def test_the_default_study_a_quick_one_and_one_for_a_gpu_are_shipped() -> None:
    assert {"cifar10", "gpu", "quick"} <= {path.stem for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_study_has_its_files_name_and_starts_with_the_tutorials_values(path: Path) -> None:
    config = read_config(path)
    assert config.name == path.stem
    study = optuna.create_study()
    study.enqueue_trial(tutorial_values(config.hyperparameters))
    first = suggest(study.ask(), config.hyperparameters)
    expected = {"beta": 1.0, "latent_dim": 128, "learning_rate": 1e-3, "batch_size": 64}
    assert {name: first[name] for name in expected} == expected


@pytest.mark.usefixtures("empty_checkout")
def test_a_value_of_the_tutorial_outside_the_search_space_is_left_to_the_sampler() -> None:
    space = "beta: {low: 2, high: 3}, latent_dim: {low: 16, high: 128}, batch_size: {choices: [32, 128]}"
    hyperparameters = read(f"{BUDGET}hyperparameters: {{{space}}}").hyperparameters
    assert tutorial_values(hyperparameters) == {"latent_dim": 128}


def test_a_studys_model_section_reaches_its_trials() -> None:
    study = StudyConfig.model_validate(
        {
            "name": "s",
            "model": {"architecture": "plain", "linear_path": True},
            "hyperparameters": {"beta": {"low": 0.5, "high": 2.0}},
            "budget": {"trials": 1},
            "training": {"epochs": 3},
        }
    )
    config = trial_config(study, {"beta": 1.0}, 0)
    assert (config.architecture, config.linear_path) == ("plain", True)


def test_seeds_of_trials_differ_within_a_study_and_between_studies() -> None:
    space = {"beta": {"low": 0.5, "high": 2.0}}
    study = StudyConfig.model_validate({"name": "s", "hyperparameters": space, "training": {"epochs": 3}})
    seeds = [
        trial_config(study.model_copy(update={"seed": seed}), {"beta": 1.0}, number).seed
        for seed in (0, 1)
        for number in range(50)
    ]
    assert len(set(seeds)) == 100


def test_only_values_near_an_end_of_their_range_are_at_the_edge() -> None:
    beta, size = Range[float](low=0.1, high=10.0, log=True), Range[int](low=16, high=256, log=True)
    assert [edge_of(beta, value) for value in (0.1, 1.0, 9.9)] == ["lower", None, "upper"]
    assert [edge_of(size, value) for value in (200, 256)] == [None, "upper"]
    choices = Choices[int](choices=(2, 4, 128))
    assert [edge_of(choices, value) for value in (4, 128)] == [None, "upper"]


def test_more_trials_than_configurations_are_noticed() -> None:
    two = Hyperparameters(latent_dim=Choices[int](choices=(16, 32)))
    assert repetition_notice(two, 2) is None and repetition_notice(two, None) is None
    assert repetition_notice(two, 5) == (
        "The search space has 2 different configurations: some of the 5 repeat another one with a new seed"
    )
    assert n_configurations(Hyperparameters(latent_dim=Range[int](low=8, high=10), batch_size=two.latent_dim)) == 6
    assert repetition_notice(Hyperparameters(beta=Range[float](low=0.5, high=2.0)), 10_000) is None


@pytest.mark.usefixtures("empty_checkout")
@pytest.mark.parametrize(
    ("model", "learning_rate", "latent_dim"),
    [
        ("{}", 8e-3, 512),
        ("{skip_learning_rate: 1}", 2e-3, 512),
        ("{pca_start: false}", 2e-3, 512),
        ("{architecture: norm_free}", 2e-3, 256),
        ("{architecture: plain}", 1e-3, 128),
    ],
)
def test_the_untuned_values_are_good_ones_for_the_network(model: str, learning_rate: float, latent_dim: int) -> None:
    space = (
        "{beta: {low: 0.3, high: 3}, latent_dim: {low: 16, high: 2000}, learning_rate: {low: 1e-4, high: 1}, "
        "batch_size: {choices: [128, 64, 32]}}"
    )
    config = read(f"data: cifar10\nmodel: {model}\nhyperparameters: {space}\nbudget: {{trials: 1}}\n")
    expected = {"beta": 1.0, "latent_dim": latent_dim, "learning_rate": learning_rate, "batch_size": 64}
    assert untuned_values(config) == expected


@pytest.mark.usefixtures("empty_checkout")
def test_untuned_values_are_moved_into_their_ranges_and_only_what_is_searched_has_one() -> None:
    space = (
        "{beta: {low: 2, high: 3}, latent_dim: {choices: [8, 4]}, learning_rate: {low: 1e-4, high: 1e-3}, "
        "batch_size: {choices: [96, 128]}, max_shift: {low: 0, high: 2}}"
    )
    config = read(f"data: cifar10\nhyperparameters: {space}\nbudget: {{trials: 1}}\n")
    assert untuned_values(config) == {"beta": 2.0, "latent_dim": 8, "learning_rate": 1e-3, "batch_size": 96}
    assert (
        untuned_values(read("data: cifar10\nhyperparameters: {max_shift: {low: 0, high: 2}}\nbudget: {trials: 1}"))
        == {}
    )
