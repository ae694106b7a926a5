"""Configurations as groups of trials, and the choice of the best."""

from collections.abc import Sequence

from optuna.trial import TrialState

from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES, as_single_trial
from hpo.search.best_trial import BestTrial, best_trial_of
from hpo.search.configurations import (
    CONFIRMS,
    CONSTRAINT,
    ENDED_OUTSIDE,
    end_of,
    is_first,
    is_started,
)
from tests.search.trial_lists import Description, make_configurations, make_trials

FIRST: Description = ("pruned", [7.0], {})


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


def test_first_trials_of_configurations_are_told_from_those_that_continue_or_confirm_them() -> None:
    trials = make_trials(
        ("pruned", [7.0], {}), ("waiting", [], {}), ("running", [], {CONTINUES: 0}), ("finished", [7.0], {CONFIRMS: 0})
    )
    assert [is_first(trial) for trial in trials] == [True, True, False, False]
    assert [is_started(trial) for trial in trials] == [True, False, False, False]


def test_a_trial_runs_until_its_state_says_that_it_has_ended() -> None:
    running, pruned, outside = make_trials(("running", [7.0], {"end": "finished"}), FIRST, FIRST)
    del outside.user_attrs["end"]
    assert [end_of(running), end_of(pruned).split()[0], end_of(outside)] == ["running", "pruned", ENDED_OUTSIDE]


def test_a_configuration_is_infeasible_if_it_diverged_but_not_if_it_failed() -> None:
    configurations = make_configurations(FIRST, ("diverged", [7.0], {}), ("failed", [7.0], {}))
    assert [configuration.is_infeasible for configuration in configurations] == [False, True, False]
    assert as_single_trial(configurations[1]).constraints == {CONSTRAINT: 1.0}


def test_a_sampler_sees_a_waiting_configuration_as_a_running_one() -> None:
    (configuration,) = make_configurations(FIRST, ("waiting", [], {CONTINUES: 0}))
    trial = as_single_trial(configuration)
    assert (trial.state, trial.params, trial.intermediate_values) == (TrialState.RUNNING, {"beta": 1.0}, {1: 7.0})


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
    for scores, number in (([6.5, 6.53], 0), ([6.7, 6.9], 1)):
        half_confirmed = best_trial_of(make_configurations(LUCKY, SOUND, *confirmed(0, scores)))
        assert half_confirmed is not None and half_confirmed.number == number, "other seeds may change 0.02, not 0.3"
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


def test_of_equal_scores_the_earlier_configuration_is_the_best() -> None:
    for confirmations in ((), (*confirmed(1, [6.7]), *confirmed(0, [6.7]))):
        best = best_trial_of(make_configurations(SOUND, SOUND, *confirmations))
        assert best is not None and best.number == 0


def test_the_label_of_the_best_trial_says_how_it_was_chosen() -> None:
    assert BestTrial(3, 6.5).label == "best: trial 3"
    assert BestTrial(3, 6.5, (6.6,)).label == "best by a new seed: trial 3"
    assert BestTrial(3, 6.5, (6.6, 6.7)).label == "best by the mean of 2 new seeds: trial 3"
