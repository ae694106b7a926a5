"""Samplers: their suggestions follow from the seed, however a search is cut into calls."""

import math
from pathlib import Path

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from hpo.config.search_space import distributions, suggest
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.samplers import ConfigurationSampler, make_sampler, startup_trials
from hpo.search.warm_start import WARM_START, WarmStart
from tests.search.trial_lists import SPACE as LIST_SPACE
from tests.search.trial_lists import Description, make_configurations, make_trials, small_config
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


BETA: dict[str, BaseDistribution] = {"beta": FloatDistribution(0.1, 10.0, log=True)}


@pytest.mark.parametrize(("name", "kind"), [("tpe", TPESampler), ("gp", GPSampler), ("random", RandomSampler)])
def test_a_sampler_is_the_named_one_with_its_startup_trials(name: str, kind: type[BaseSampler]) -> None:
    sampler = ConfigurationSampler(name, BETA, 0, n_startup_trials=7, n_reports=3)
    assert type(sampler._sampler(0)) is kind
    assert getattr(sampler._sampler(0), "_n_startup_trials", 7) == 7
    assert sampler.predict_final_scores(make_configurations(("finished", [6.5], {}))) == {}


def test_seeds_differ_by_study_and_trial() -> None:
    def first(seed: int, number: int) -> float:
        study = optuna.create_study(sampler=ConfigurationSampler("random", BETA, seed, 2, 3))
        for _ in range(number):
            study.enqueue_trial({"beta": 1.0})
        return [float(study.ask(BETA).params["beta"]) for _ in range(number + 1)][-1]

    drawn = [first(seed, number) for seed in (0, 1) for number in (0, 1)]
    assert len(set(drawn)) == 4
    assert drawn[0] == first(0, 0)


def test_a_parameter_of_another_program_is_sampled_at_random() -> None:
    study = optuna.create_study(sampler=ConfigurationSampler("tpe", BETA, 0, 2, 3))
    drawn = [study.ask(BETA).suggest_float("other", 3.0, 4.0) for _ in range(3)]
    assert len(set(drawn)) == 3 and all(3.0 <= value <= 4.0 for value in drawn)


def seen_by_sampler(
    monkeypatch: pytest.MonkeyPatch,
    descriptions: list[Description],
    n_objectives: int = 1,
    others: tuple[float, ...] = (),
) -> list[FrozenTrial]:
    """Return the trials that TPE sees when it samples values for a study's next trial."""
    known = [
        {"state": "COMPLETE", "values": [score] * n_objectives, "params": {"beta": 2.0}, "scores": [(1, 7.0)]}
        | {"constraints": {}}
        for score in others
    ]
    other_trials = WarmStart("other", [], known).trials(distributions(LIST_SPACE))
    seen: list[FrozenTrial] = []

    def sample(sampler: TPESampler, study: optuna.Study, *_: object) -> dict[str, object]:
        seen.extend(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)))
        seen.extend(trial for trial in study.get_trials(states=(TrialState.RUNNING,)) if trial.params)
        return {"beta": 1.0}

    space = distributions(LIST_SPACE)
    monkeypatch.setattr(TPESampler, "infer_relative_search_space", lambda *_: space)
    monkeypatch.setattr(TPESampler, "sample_relative", sample)
    sampler = ConfigurationSampler("tpe", space, 0, 2, 9, other_trials)
    study = optuna.create_study(directions=["minimize"] * n_objectives, sampler=sampler)
    study.add_trials(make_trials(*descriptions))
    study.ask(space)
    return seen


def test_a_sampler_sees_each_configuration_once_beside_the_trials_of_another_study(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    descriptions: list[Description] = [
        ("pruned", [7.0], {}),
        ("running", [6.9], {}),
        ("finished", [7.0, 6.5], {CONTINUES: 0}),
    ]
    seen = seen_by_sampler(monkeypatch, descriptions, others=(6.4,))
    assert [(trial.state.name, trial.values, trial.intermediate_values) for trial in seen] == [
        ("COMPLETE", [6.4], {1: 7.0}),
        ("COMPLETE", [6.5], {1: 7.0, 2: 6.5}),
        ("RUNNING", None, {1: 6.9}),
    ]


def test_with_two_objectives_a_sampler_sees_no_learning_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = seen_by_sampler(monkeypatch, [("pruned", [7.0], {})], n_objectives=2, others=(6.4,))
    assert [(trial.state.name, trial.intermediate_values) for trial in seen] == [("COMPLETE", {}), ("PRUNED", {})]


def test_a_trial_with_given_values_is_not_sampled() -> None:
    study = optuna.create_study(sampler=ConfigurationSampler("tpe", distributions(SPACE), 0, 2, 3))
    study.enqueue_trial(dict.fromkeys(distributions(SPACE), 0))
    study.enqueue_trial({"beta": 1.0})
    given, sampled = (study.sampler.infer_relative_search_space(study, trial) for trial in study.trials)
    assert (given, sampled) == ({}, distributions(SPACE))


def test_a_studys_sampler_has_its_files_settings_and_its_warm_start() -> None:
    config = small_config()
    study = optuna.create_study()
    study.set_user_attr("startup_trials", 4)
    known = {"state": "COMPLETE", "values": [6.5], "params": {"beta": 2.0}, "scores": [[9, 6.5]], "constraints": {}}
    plain = make_sampler(study, config)
    study.set_user_attr(WARM_START, WarmStart("other", [], [known]).as_attribute())
    warm = make_sampler(study, config)
    assert (plain._name, plain._seed, plain._n_startup_trials, plain._space) == (
        config.sampler.name,
        config.seed,
        4,
        distributions(config.hyperparameters),
    )
    assert (plain._n_steps, plain._gap) == (9, 0.3)
    assert list(plain._other_trials) == []
    assert [trial.intermediate_values for trial in warm._other_trials] == [{9: 6.5}]
