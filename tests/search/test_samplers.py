"""Samplers: their suggestions follow from the seed, however a search is cut into calls."""

import math
from pathlib import Path

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution

from hpo.config.search_space import distributions, suggest
from hpo.search.samplers import ConfigurationSampler, startup_trials
from tests.tools.small_study import SPACE

N_STARTUP, N_TRIALS = 3, 8


def imitated_score(trial: optuna.trial.Trial) -> float:
    """Return a score that depends on the suggestions as a real one does."""
    values = suggest(trial, SPACE)
    distance: float = (
        math.log(values["beta"]) ** 2 + math.log10(values["learning_rate"] / 1e-3) ** 2 + 1 / values["latent_dim"]
    )
    return distance


def search(database: Path, calls: tuple[int, ...]) -> list[dict[str, object]]:
    """Search in calls of so many trials; return the values of all trials."""
    for n_trials in calls:
        study = optuna.create_study(study_name="s", storage=f"sqlite:///{database}", load_if_exists=True)
        study.sampler = ConfigurationSampler(
            "tpe", distributions(SPACE), seed=0, n_startup_trials=N_STARTUP, n_reports=3
        )
        for _ in range(n_trials):
            trial = study.ask()
            study.tell(trial, imitated_score(trial))
    return [trial.params for trial in study.trials]


def test_a_search_cut_into_calls_suggests_the_same_as_one_call(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole.db", (N_TRIALS,))
    assert len({str(params) for params in whole}) == N_TRIALS, "no suggestion is repeated"
    assert search(tmp_path / "parts.db", (1, 1, 1, 2, 3)) == whole


def test_at_most_a_third_of_the_affordable_trials_is_unguided() -> None:
    assert [startup_trials(n) for n in (1, 5, 6, 12, 15.9, 30, 1000)] == [1, 1, 2, 4, 5, 10, 10]


@pytest.mark.parametrize("name", ["curves", "tpe", "gp", "random"])
def test_each_sampler_repeats_its_suggestions_from_the_seed_and_none_twice(name: str) -> None:
    space: dict[str, BaseDistribution] = {"beta": FloatDistribution(0.1, 10.0, log=True)}

    def suggestions() -> list[float]:
        sampler = ConfigurationSampler(name, space, 0, n_startup_trials=2, n_reports=3)
        study = optuna.create_study(sampler=sampler)
        for _ in range(5):
            trial = study.ask()
            study.tell(trial, trial.suggest_float("beta", 0.1, 10.0, log=True))
        return [trial.params["beta"] for trial in study.trials]

    once, again = suggestions(), suggestions()
    assert once == again
    assert len(set(once)) == 5
