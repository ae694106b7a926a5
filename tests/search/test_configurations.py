"""Configurations as groups of trials, and the choice of the best."""

from collections.abc import Sequence

from optuna.trial import TrialState

from hpo.search.best_trial import BestTrial, best_trial_of
from hpo.search.configurations import CONFIRMS, CONTINUES, as_single_trial
from tests.search.trial_lists import Description, make_configurations


def test_trials_that_continue_or_confirm_another_belong_to_its_configuration() -> None:
    first, second = make_configurations(
        ("pruned", [7.0], {}),
        ("finished", [6.9, 6.8], {}),
        ("pruned", [7.0, 6.6], {CONTINUES: 0}),
        ("finished", [7.0, 6.6, 6.5], {CONTINUES: 2}),
        ("finished", [6.9, 6.7], {CONFIRMS: 0}),
        ("running", [6.9], {CONFIRMS: 0}),
    )
    assert [trial.number for trial in first.trials] == [0, 2, 3]
    assert (first.number, first.value, first.confirmation_scores, first.confirmation_mean) == (0, 6.5, (6.7,), 6.7)
    assert [trial.number for trial in first.confirmations] == [4, 5]
    assert (second.number, second.value, second.confirmation_mean) == (1, 6.8, None)


def test_a_configuration_that_waits_to_continue_keeps_its_scores_and_values() -> None:
    (configuration,) = make_configurations(("pruned", [7.0], {}), ("waiting", [], {CONTINUES: 0}))
    assert configuration.scores == {1: 7.0}
    assert configuration.params == {"beta": 1.0}
    assert configuration.is_running and not configuration.is_paused


def test_a_sampler_sees_a_configuration_as_one_trial() -> None:
    (configuration,) = make_configurations(
        ("pruned", [7.0], {}), ("finished", [7.0, 6.5], {CONTINUES: 0}), ("finished", [6.9], {CONFIRMS: 0})
    )
    trial = as_single_trial(configuration)
    assert (trial.state, trial.value, trial.params) == (TrialState.COMPLETE, 6.5, {"beta": 1.0})
    assert trial.intermediate_values == {1: 7.0, 2: 6.5}


LUCKY: Description = ("finished", [6.0], {})
SOUND: Description = ("finished", [6.5], {})


def confirmed(number: int, scores: Sequence[float]) -> list[Description]:
    return [("finished", [score], {CONFIRMS: number}) for score in scores]


def test_the_best_trial_has_the_lowest_score_as_long_as_none_is_confirmed() -> None:
    assert best_trial_of(make_configurations(("pruned", [5.0], {}))) is None
    best = best_trial_of(make_configurations(LUCKY, SOUND))
    assert best == BestTrial(0, 6.0, (), {"beta": 1.0})
    assert best.score == 6.0


def test_the_best_trial_has_the_lowest_mean_over_new_seeds_of_those_with_the_most_seeds() -> None:
    half_confirmed = best_trial_of(make_configurations(LUCKY, SOUND, *confirmed(0, [6.7, 6.9])))
    assert half_confirmed is not None and half_confirmed.number == 0, "the other has no new seeds yet"
    both = make_configurations(LUCKY, SOUND, *confirmed(0, [6.7, 6.9]), *confirmed(1, [6.6, 6.7]))
    best = best_trial_of(both)
    assert best == BestTrial(1, 6.5, (6.6, 6.7), {"beta": 2.0})
    assert best.score == 6.65


def test_the_best_trial_has_the_lowest_mean_not_the_luckiest_seed() -> None:
    both = make_configurations(LUCKY, SOUND, *confirmed(0, [6.0, 7.0]), *confirmed(1, [6.4, 6.5]))
    best = best_trial_of(both)
    assert best is not None and (best.number, best.score) == (1, 6.45)


def test_the_best_trial_is_the_one_that_finished_its_configuration() -> None:
    best = best_trial_of(make_configurations(("pruned", [7.0], {}), ("finished", [7.0, 6.5], {CONTINUES: 0})))
    assert best == BestTrial(1, 6.5, (), {"beta": 1.0})
