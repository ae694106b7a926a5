"""Sampler `curves`: predicted final scores and proposed values, on learning curves of known structure."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from scipy.stats import spearmanr

from benchmarks.search.table import N_EPOCHS
from hpo.config.hyperparameters import Hyperparameters, Range
from hpo.config.schema import Budget, Sampler, StudyConfig
from hpo.search.configurations import CONSTRAINT, Configuration, as_single_trial, group_trials
from hpo.search.learning_curve_sampler import N_SPREAD, LearningCurveSampler
from hpo.search.pruners import HalvingPruner
from hpo.search.samplers import ConfigurationSampler
from hpo.search.search_space_transform import SearchSpaceTransform
from hpo.search.successive_halving import Halving
from hpo.search.warm_start import WarmStart, _to_plain_values
from tests.tools.synthetic_curves import SPACE, true_curve
from tests.tools.synthetic_curves import configurations as sobol_values

STATES = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
CUBE = SearchSpaceTransform(SPACE)


def make_trial(
    number: int, values: Mapping[str, Any], scores: Sequence[float], end: str, space: Any = SPACE
) -> FrozenTrial:
    trial = create_trial(
        state=STATES.get(end, TrialState.RUNNING),
        value=scores[-1] if end == "finished" else None,
        params=dict(values),
        distributions=space,
        intermediate_values=dict(enumerate(scores, start=1)),
        user_attrs={"end": end},
        constraints={CONSTRAINT: float(end in ("diverged", "failed"))},
    )
    trial.number = number
    return trial


def make_configuration(number: int, values: Mapping[str, Any], scores: Sequence[float], end: str) -> Configuration:
    return Configuration([make_trial(number, values, scores, end)])


@cache
def paused(n: int, n_epochs: int, n_finished: int) -> tuple[Configuration, ...]:
    """Return configurations of known curves: the first `n_finished` finished, the others paused after `n_epochs`."""
    return tuple(
        make_configuration(number, values, list(true_curve(values)), "finished")
        if number < n_finished
        else make_configuration(number, values, list(true_curve(values)[:n_epochs]), "pruned")
        for number, values in enumerate(sobol_values(n))
    )


def make_sampler(space: Any = SPACE, seed: int = 0, n_reports: int = N_EPOCHS) -> LearningCurveSampler:
    return LearningCurveSampler(space, n_reports, n_startup=10, seed=seed)


def distance(values: dict[str, Any], other: dict[str, Any]) -> float:
    """Largest distance of two configurations in a dimension of the unit cube."""
    return float(np.abs(CUBE.features(values) - CUBE.features(other)).max())


# Predictions


def test_a_few_finished_curves_suffice_to_predict_where_the_paused_ones_would_end() -> None:
    configurations = paused(24, n_epochs=2, n_finished=4)
    predicted = make_sampler().predict_final_scores(configurations)
    true = {configuration.number: true_curve(configuration.params)[-1] for configuration in configurations}
    for configuration in configurations[:4]:
        assert predicted[configuration.number] == pytest.approx(configuration.value, abs=0.02)
    numbers = [configuration.number for configuration in configurations[4:]]
    errors = [abs(predicted[number] - true[number]) for number in numbers]
    assert np.median(errors) < np.std(list(true.values())) / 3
    assert spearmanr([predicted[number] for number in numbers], [true[number] for number in numbers]).statistic > 0.8


def test_a_diverged_configuration_is_predicted_to_end_badly() -> None:
    configurations = paused(12, n_epochs=2, n_finished=4)
    fast = configurations[0].params | {"learning_rate": 1e-2}
    predicted = {
        end: make_sampler().predict_final_scores(
            [*configurations, make_configuration(12, fast, [true_curve(fast)[0]], end)]
        )[12]
        for end in ("pruned", "diverged")
    }
    assert predicted["diverged"] > predicted["pruned"] + 0.1


def test_nothing_is_predicted_without_a_score() -> None:
    assert make_sampler().predict_final_scores([make_configuration(0, sobol_values(1)[0], [], "running")]) == {}


def test_the_curves_of_another_study_count_like_the_study_s_own() -> None:
    configurations = paused(12, n_epochs=2, n_finished=4)
    plain_trials = [_to_plain_values(as_single_trial(configuration)) for configuration in configurations]
    warm = ConfigurationSampler("curves", SPACE, 0, 10, N_EPOCHS, WarmStart("other", [], plain_trials).trials(SPACE))
    new = make_configuration(12, sobol_values(13)[12], list(true_curve(sobol_values(13)[12])[:1]), "pruned")
    all_at_once = make_sampler().predict_final_scores([*configurations, new])
    assert warm.predict_final_scores([new])[12] == pytest.approx(all_at_once[12])
    study = optuna.create_study(sampler=warm)
    assert study.ask(SPACE).params == make_sampler().propose(configurations, number=0)


def test_trials_of_another_program_are_ignored() -> None:
    configurations = paused(12, n_epochs=2, n_finished=4)
    foreign = [
        create_trial(state=TrialState.PRUNED, intermediate_values={1: 7.0}),
        create_trial(state=TrialState.RUNNING),
    ]
    for number, trial in enumerate(foreign, start=12):
        trial.number = number
    mixed = [*configurations, *group_trials(foreign)]
    assert make_sampler().predict_final_scores(mixed) == make_sampler().predict_final_scores(configurations)
    assert make_sampler().propose(mixed, number=14) == make_sampler().propose(configurations, number=14)


def test_of_very_many_configurations_the_best_and_some_of_the_others_are_fitted() -> None:
    values = sobol_values(100)
    many = [
        make_configuration(number, values[number % 100], [7.0 + number / 1000] * (8 if number < 200 else 1), "pruned")
        for number in range(900)
    ]
    scores = make_sampler()._scores.collect(many)
    assert 500 < len(scores.val_bpd) <= 600
    # From full curves only the last score: all 200 of them are among the best.
    assert (scores.shares == 1.0).sum() == 200
    assert (scores.val_bpd < 7.3).sum() == 300
    assert scores.val_bpd.max() == pytest.approx(7.899)


def test_at_a_rung_the_configurations_with_the_best_predictions_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = ConfigurationSampler("curves", SPACE, seed=0, n_startup_trials=4, n_reports=N_EPOCHS)
    monkeypatch.setattr(sampler, "predict_final_scores", lambda _: {0: 6.3, 1: 6.2, 2: 6.1})
    study = optuna.create_study(sampler=sampler, pruner=HalvingPruner(Halving((1,), 3)))
    for number, (values, score) in enumerate(zip(sobol_values(3), (6.5, 6.6, 6.7), strict=True)):
        study.enqueue_trial(values)
        trial = study.ask(SPACE)
        trial.report(score, 1)
        pauses = trial.should_prune()
        assert pauses is (number < 2), "the last one has the worst score and the best prediction"
        if pauses:
            trial.set_user_attr("end", "pruned")
            study.tell(trial, state=TrialState.PRUNED)
    assert isinstance(study.pruner, HalvingPruner)
    verdict = study.pruner.reason(study, 2, 1)
    assert verdict == "expected to end at 6.1000: ranked 1 of 3 at this rung; 1 promoted so far"


# Proposals


def test_the_first_proposals_are_spread_and_all_follow_from_the_seed() -> None:
    for configurations in (paused(N_SPREAD - 1, n_epochs=2, n_finished=0), paused(8, n_epochs=2, n_finished=2)):
        proposed = [make_sampler(seed=seed).propose(configurations, number=9) for seed in (0, 0, 1)]
        assert proposed[0] == proposed[1] != proposed[2]
    first = [make_sampler().propose(paused(n, n_epochs=2, n_finished=0), number=n) for n in range(N_SPREAD)]
    assert len({tuple(values.values()) for values in first}) == N_SPREAD


def test_a_good_configuration_is_found_sooner_than_by_chance() -> None:
    values = sobol_values(3)
    for number in range(3, 16):
        configurations = [
            make_configuration(index, tried, list(true_curve(tried)[:3]), "pruned")
            for index, tried in enumerate(values)
        ]
        values.append(make_sampler().propose(configurations, number))
    best = min(true_curve(tried)[-1] for tried in values)
    by_chance = sorted(true_curve(drawn)[-1] for drawn in sobol_values(256))
    # Better than the best 2%, where sixteen random draws come in one of four searches.
    assert best < by_chance[256 // 50]


def test_near_the_well_known_best_values_every_other_proposal_explores() -> None:
    # Curves of one point each: what counts is how well the final scores around the best values are known.
    configurations = [
        make_configuration(number, values, [true_curve(values)[-1]], "finished")
        for number, values in enumerate(sobol_values(20))
    ]
    distances = []
    for number in range(20, 36):
        best = min(configurations, key=lambda configuration: configuration.value or 0.0)
        values = make_sampler(n_reports=1).propose(configurations, number)
        configurations.append(make_configuration(number, values, [true_curve(values)[-1]], "finished"))
        distances.append(distance(values, best.params))
    late = sorted(distances[-10:])
    assert max(late[:5]) < 0.15 < np.median(late[5:])


def test_values_where_a_configuration_diverged_before_its_first_score_are_avoided() -> None:
    configurations = paused(12, n_epochs=2, n_finished=4)
    proposed = make_sampler().propose(configurations, number=12)
    # The cause of a failure may be fixed by now.
    failed, diverged = (make_configuration(12, proposed, [], end) for end in ("failed", "diverged"))
    near, far = (
        distance(proposed, make_sampler().propose([*configurations, ended], number=12)) for ended in (failed, diverged)
    )
    assert near < 0.05 < 0.2 < far


def test_no_values_are_proposed_twice_and_workers_do_not_follow_each_other() -> None:
    configurations = paused(10, n_epochs=2, n_finished=2)
    first = make_sampler().propose(configurations, number=10)
    running = make_configuration(10, first, [], "running")
    # With the same trial number, and so the same random candidates.
    second = make_sampler().propose([*configurations, running], number=10)
    assert distance(first, second) > 0.02


def test_a_space_without_untried_values_still_yields_values() -> None:
    space = {"batch_size": CategoricalDistribution((16, 32))}
    configurations = group_trials(
        make_trial(number, {"batch_size": size}, [7.0, 6.9], "pruned", space)
        for number, size in enumerate((16, 32, 16))
    )
    assert make_sampler(space).propose(configurations, number=3)["batch_size"] in (16, 32)


def test_a_study_with_two_objectives_is_sampled_by_tpe() -> None:
    space = Hyperparameters(latent_dim=Range[int](low=8, high=64))
    curves = Sampler(name="curves")
    two = StudyConfig(
        name="two",
        hyperparameters=space,
        objectives=("val_bpd", "latent_dim"),
        budget=Budget(trials=1),
        sampler=curves,
    )
    assert two.sampler.name == "tpe"
    assert StudyConfig(name="one", hyperparameters=space, budget=Budget(trials=1)).sampler.name == "curves"
