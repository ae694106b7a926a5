"""Successive halving with promotion: who pauses, who goes on, and what a worker does next."""

from collections.abc import Sequence
from math import inf
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.config.hyperparameters import Hyperparameters, Range
from hpo.config.schema import Budget, Confirmation, Pruner, StudyConfig, Training
from hpo.config.search_space import distributions
from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import CONFIRMS, CONTINUES, NEVER_PRUNED, Configuration, as_single_trial, group_trials
from hpo.search.remaining_work import RemainingWork, remaining_work
from hpo.search.samplers import ConfigurationSampler
from hpo.search.scheduler import Plan, next_step, reserved_s
from hpo.search.successive_halving import Candidate, Halving, candidates_of
from hpo.workers.budget_estimate import BudgetEstimate, describe, disk_bytes, expected_share
from model.device import Runtime

SPACE = Hyperparameters(beta=Range[float](low=0.1, high=10.0, log=True))
Kind = tuple[str, Sequence[float], dict[str, Any]]
PAUSED = "pruned at epoch 1: 7.0000, ranked 2 of 2 at this rung; 0 promoted so far"


def config(top: int = 2, seeds: int = 2, pruner: str = "halving") -> StudyConfig:
    return StudyConfig(
        name="small",
        hyperparameters=SPACE,
        training=Training(epochs=9),
        budget=Budget(trials=6),
        pruner=Pruner(name=pruner),  # type: ignore[arg-type]
        confirmation=Confirmation(top=top, seeds=seeds),
    )


def trials(*kinds: Kind) -> list[FrozenTrial]:
    """Trials by their end (finished, pruned, running or waiting), their scores and attributes, in their order."""
    made = []
    for number, (end, scores, attributes) in enumerate(kinds):
        state = {
            "finished": TrialState.COMPLETE,
            "pruned": TrialState.PRUNED,
            "diverged": TrialState.PRUNED,
            "running": TrialState.RUNNING,
            "waiting": TrialState.WAITING,
        }[end]
        trial = create_trial(
            state=state,
            value=scores[-1] if end == "finished" else None,
            params={"beta": 1.0 + number} if end != "waiting" else {},
            distributions=distributions(SPACE) if end != "waiting" else {},
            intermediate_values=dict(enumerate(scores, start=1)),
            user_attrs={"end": PAUSED if end == "pruned" else end, "elapsed_s": 10.0, **attributes},
        )
        trial.number = number
        made.append(trial)
    return made


def known(*kinds: Kind) -> list[Configuration]:
    return group_trials(trials(*kinds))


def courses(*scores: Sequence[float]) -> list[Candidate]:
    """Paused ones."""
    return [Candidate(number, dict(enumerate(one, start=1)), True) for number, one in enumerate(scores)]


@pytest.mark.parametrize(
    ("first", "spacing", "n_reports", "rungs"),
    [(1, 3, 10, (1, 3, 9)), (1, 3, 9, (1, 3)), (2, 2, 10, (2, 4, 8)), (0, 4, 3, (1,)), (5, 3, 4, ())],
)
def test_rungs_are_multiples_by_powers_of_the_spacing_below_the_last_report(
    first: int, spacing: int, n_reports: int, rungs: tuple[int, ...]
) -> None:
    assert Halving.of(first, spacing, 3, n_reports).rungs == rungs


def test_one_goes_on_at_a_rung_if_it_is_among_the_best_third_there() -> None:
    halving = Halving((1, 3), 3)
    first_two = courses([7.0], [6.9])
    assert not halving.passes(1, 1, first_two), "a third of two is none"
    three = courses([7.0], [6.9], [6.8])
    assert halving.passes(2, 1, three)
    assert not halving.passes(1, 1, three)
    assert halving.rank(1, 1, three) == (2, 3)


def test_the_best_paused_one_of_the_highest_rung_is_promoted_first() -> None:
    halving = Halving((1, 3), 3)
    low = [[7.0], [6.9], [6.8], [7.1], [7.2], [7.3]]
    assert halving.next_promotion(courses(*low)) == 2
    # The best has gone on to rung 3: next is the second of six.
    assert halving.next_promotion(courses([7.0], [6.9], [6.8, 6.7, 6.6], [7.1], [7.2], [7.3])) == 1
    # Three have come to rung 3: one of them goes on before anyone below.
    high = [[6.7, 6.6, 6.55], [6.9, 6.8, 6.5], [6.8, 6.7, 6.6], *low[3:], *[[7.4]] * 6]
    assert halving.next_promotion(courses(*high)) == 1
    assert halving.next_promotion(courses([7.0], [6.9])) is None


def test_one_that_is_not_paused_counts_and_is_not_promoted() -> None:
    best, *others = courses([6.5], [7.0], [7.1])
    assert Halving((1,), 3).next_promotion([Candidate(best.number, best.scores, False), *others]) is None


def test_one_that_is_expected_to_end_no_better_than_what_has_ended_is_left_where_it_is() -> None:
    others = [Candidate(number, {1: 7.0 + number}, True, 6.9 + number) for number in (2, 3)]
    paused = Candidate(1, {1: 6.8}, True, 6.6)
    for expected, promoted in ((6.7, 1), (6.5, None)):
        ended = Candidate(0, {1: 7.5, 2: 6.4}, False, expected, has_finished=True)
        assert Halving((1,), 2).next_promotion([ended, paused, *others]) == promoted
    unexpected = [Candidate(one.number, one.scores, one.is_paused, None, one.has_finished) for one in (ended, paused)]
    assert Halving((1,), 2).next_promotion(unexpected) == 1
    both = known(("finished", [7.0, 6.9], {}), ("pruned", [7.1], {}))
    assert [course.has_finished for course in candidates_of(both, None)] == [True, False]


class _Expecting(ConfigurationSampler):
    """Expects that all end alike, whatever they have scored."""

    def __init__(self) -> None:
        super().__init__("tpe", distributions(SPACE), seed=0, n_startup_trials=1, n_reports=9)

    def predict_final_scores(self, known: Sequence[Configuration]) -> dict[int, float]:
        return {one.number: 6.0 for one in known}


def test_where_no_paused_one_may_still_win_others_are_begun_until_there_are_enough() -> None:
    scores = [7.0, 6.9, 6.8, 6.7, 6.6, 6.5, 6.4, 6.3, 6.2]
    have = known(("finished", scores, {}), *(("pruned", [6.5 + number / 10], {}) for number in range(5)))
    alone = config(top=0)

    def step(n_total: int, sampler: ConfigurationSampler | None) -> str:
        return next_step(have, alone, Plan(), n_total, inf, sampler).action

    assert (step(7, None), step(6, None)) == ("enqueue", "enqueue")
    assert (step(7, _Expecting()), step(6, _Expecting())) == ("start", "stop")


def test_trials_that_continue_or_confirm_another_are_one_configuration() -> None:
    one, other = known(
        ("pruned", [7.0], {}),
        ("finished", [6.9, 6.8], {}),
        ("pruned", [7.0, 6.6], {CONTINUES: 0}),
        ("finished", [7.0, 6.6, 6.5], {CONTINUES: 2}),
        ("finished", [6.9, 6.7], {CONFIRMS: 0}),
        ("running", [6.9], {CONFIRMS: 0}),
    )
    assert [trial.number for trial in one.trials] == [0, 2, 3]
    assert (one.number, one.value, one.confirmation_scores, one.confirmation_mean) == (0, 6.5, (6.7,), 6.7)
    assert [trial.number for trial in one.confirmations] == [4, 5]
    assert (other.number, other.value, other.confirmation_mean) == (1, 6.8, None)


def test_one_that_waits_to_go_on_keeps_its_scores_and_its_values() -> None:
    (one,) = known(("pruned", [7.0], {}), ("waiting", [], {CONTINUES: 0}))
    assert one.scores == {1: 7.0}
    assert one.params == {"beta": 1.0}
    assert one.is_running and not one.is_paused


def test_the_choice_is_by_the_mean_over_new_seeds_of_those_that_have_all_of_them() -> None:
    lucky: Kind = ("finished", [6.0], {})
    sound: Kind = ("finished", [6.5], {})
    assert best_trial_of(known(("pruned", [5.0], {}))) is None
    first = best_trial_of(known(lucky, sound))
    assert first is not None and first.number == 0
    halfway = known(lucky, sound, ("finished", [6.7], {CONFIRMS: 0}), ("finished", [6.9], {CONFIRMS: 0}))
    halfway_choice = best_trial_of(halfway)
    assert halfway_choice is not None and halfway_choice.number == 0, "the other has no new seeds yet"
    second = [("finished", [6.6], {CONFIRMS: 1}), ("finished", [6.7], {CONFIRMS: 1})]
    whole = best_trial_of(
        known(lucky, sound, ("finished", [6.7], {CONFIRMS: 0}), ("finished", [6.9], {CONFIRMS: 0}), *second)
    )
    assert whole is not None and whole.number == 1


def what(step_of: list[Configuration], n_total: int | None = 6, left_s: float = inf, **more: Any) -> tuple[Any, ...]:
    step = next_step(step_of, config(**more), Plan(trial_s=10.0), n_total, left_s)
    return step.action, step.configuration.number if step.configuration else None, dict(step.attributes)


def test_a_promotion_comes_before_a_new_configuration() -> None:
    two: list[Kind] = [("pruned", [7.0], {}), ("pruned", [6.9], {})]
    assert what(known(*two)) == ("start", None, {})
    assert what(known(*two, ("pruned", [6.8], {}))) == ("enqueue", 2, {CONTINUES: 2})


def test_when_all_have_begun_the_best_are_brought_to_their_end_and_then_confirmed() -> None:
    one: Kind = ("pruned", [7.0], {})
    two: Kind = ("pruned", [6.9], {})
    assert what(known(one, two), n_total=2) == ("enqueue", 1, {CONTINUES: 1, NEVER_PRUNED: True})
    ended = ("finished", [6.9, 6.5], {CONTINUES: 1})
    assert what(known(one, two, ended), n_total=2) == ("enqueue", 0, {CONTINUES: 0, NEVER_PRUNED: True})
    both = [one, two, ended, ("finished", [7.0, 6.6], {CONTINUES: 0})]
    assert what(known(*both), n_total=2) == ("enqueue", 1, {CONFIRMS: 1, NEVER_PRUNED: True})
    begun = [*both, ("running", [], {CONFIRMS: 1}), ("waiting", [], {CONFIRMS: 1})]
    assert what(known(*begun), n_total=2) == ("enqueue", 0, {CONFIRMS: 0, NEVER_PRUNED: True})
    done = [*both, *(("finished", [6.7], {CONFIRMS: number}) for number in (0, 0, 1, 1))]
    assert what(known(*done), n_total=2) == ("stop", None, {})


def test_nothing_is_confirmed_while_another_may_still_be_better() -> None:
    assert what(known(("finished", [6.5], {}), ("running", [6.4], {})), n_total=2, top=1) == ("wait", None, {})
    # But where minutes count, nobody waits.
    assert what(known(("finished", [6.5], {}), ("running", [6.4], {})), n_total=2, top=1, left_s=5.0)[0] == "enqueue"


def test_confirmation_can_be_switched_off_and_then_one_still_finishes() -> None:
    paused = known(("pruned", [7.0], {}), ("pruned", [6.9], {}))
    assert what(paused, n_total=2, top=0) == ("enqueue", 1, {CONTINUES: 1, NEVER_PRUNED: True})
    assert what(known(("finished", [6.5], {})), n_total=1, top=0) == ("stop", None, {})


def test_the_search_stops_when_what_is_left_is_needed_for_confirmation() -> None:
    found = known(("finished", [6.5], {}), ("finished", [6.6], {}), ("pruned", [6.9], {}))
    assert reserved_s(found, config(), Plan()) == 40.0, "two seeds of each of two, ten seconds each"
    assert reserved_s(found, config(), Plan(n_workers=4)) == 10.0
    assert reserved_s(found, config(), Plan(max_reserved_s=15.0)) == 15.0
    assert reserved_s([], config(), Plan(trial_s=10.0)) == 60.0, "both are to be brought to their end first"
    assert reserved_s([], config(pruner="median"), Plan(trial_s=10.0)) == 40.0, "the search brings them there"
    assert what(found, n_total=None, left_s=41.0)[0] == "start"
    assert what(found, n_total=None, left_s=40.0) == ("enqueue", 0, {CONFIRMS: 0, NEVER_PRUNED: True})


def test_the_sampler_sees_a_configuration_once_however_many_trials_it_was_given_to() -> None:
    chain = trials(("pruned", [7.0], {}), ("finished", [7.0, 6.5], {CONTINUES: 0}), ("finished", [6.9], {CONFIRMS: 0}))
    (one,) = map(as_single_trial, group_trials(chain))
    assert (one.state, one.value, one.params) == (TrialState.COMPLETE, 6.5, {"beta": 1.0})
    assert one.intermediate_values == {1: 7.0, 2: 6.5}


@pytest.mark.parametrize("name", ["curves", "tpe", "gp", "random"])
def test_each_sampler_suggests_the_same_again_and_never_twice_the_same(name: str) -> None:
    def suggested() -> list[float]:
        study = optuna.create_study(
            sampler=ConfigurationSampler(name, distributions(SPACE), 0, n_startup_trials=2, n_reports=3)
        )
        for _ in range(5):
            trial = study.ask()
            study.tell(trial, trial.suggest_float("beta", 0.1, 10.0, log=True))
        return [trial.params["beta"] for trial in study.trials]

    once, again = suggested(), suggested()
    assert once == again
    assert len(set(once)) == 5


def test_the_plan_tells_rungs_configurations_and_what_is_kept_for_confirmation() -> None:
    forecast = BudgetEstimate(images_per_second=1000.0, trial_s=90.0, checkpoint_bytes=40e6)
    runtime = Runtime(torch.device("cpu"), "float32")
    study = config(top=3, seeds=2)
    # Rungs at 1, 2, 4 and 8 of 9: 1/9 of all, 1/9 of a third, 2/9 of a ninth, 4/9 of a 27th, 1/9 of an 81st.
    share = (1 + 1 / 3 + 2 / 9 + 4 / 27 + 1 / 81) / 9
    assert expected_share(Halving((1, 2, 4, 8), 3), 9) == pytest.approx(share)
    assert expected_share(None, 9) == 1.0
    hour = Budget(timeout_minutes=60)
    told = describe(forecast, study, hour, [], forecast.plan(hour, 1), runtime)
    n_configurations = round((3600 - 9 * 90) / (share * 90))
    # At least as many as if each were trained to its end.
    assert f"60 min are enough for 31 to {n_configurations} configurations of up to 9 epochs" in told
    assert "(those not among the best 1 in 3 pause after epoch 1, 2, 4, 8)" in told
    assert "14 min of them are reserved to train the best 3 to the end and again with 2 new seeds each" in told
    bare = describe(forecast, config(top=0), hour, [], forecast.plan(hour, 1), runtime)
    assert "2 min of them are reserved to train the best to the end" in bare
    assert forecast.plan(Budget(timeout_minutes=10), 1).max_reserved_s == 200.0, "a third at most"
    begun = known(*[("pruned", [7.0], {})] * 4)
    whole = describe(forecast, study, Budget(trials=10), begun, forecast.plan(Budget(trials=10), 1), runtime)
    assert f"6 configurations of up to 9 epochs take about {6 * share * 90 / 60:.0f} min to 9 min" in whole


def test_halving_buys_more_configurations_and_its_disk_holds_the_paused_ones() -> None:
    forecast = BudgetEstimate(images_per_second=1000.0, trial_s=60.0, checkpoint_bytes=40e6)
    hour, halves, whole = Budget(timeout_minutes=60), config(top=0), config(top=0, pruner="median")
    assert forecast.n_affordable(whole, hour, reserved_s=0.0) == 60
    assert forecast.n_affordable(halves, hour, reserved_s=0.0) > 2 * 60
    assert forecast.n_affordable(halves, Budget(trials=7, timeout_minutes=60), reserved_s=0.0) == 7
    # 81 configurations, 27 of which pass the first rung: 8 checkpoints each at three rungs and 3 at the fourth.
    n_trials, n_checkpoints = 81 + 27 + 9 + 3 + 1, 3 + 1 + 3 * 8 + 3
    assert disk_bytes(forecast, halves, 81, n_workers=1) == pytest.approx(
        10e6 + 0.7e6 * n_trials + 40e6 * n_checkpoints
    )
    assert disk_bytes(forecast, whole, 81, n_workers=2) == pytest.approx(10e6 + 0.7e6 * 81 + 40e6 * 5)


def test_what_was_kept_for_confirmation_and_is_not_needed_goes_to_the_search() -> None:
    # Under the median pruner one of two has finished; there will be no second to confirm unless the search finds it.
    one: Kind = ("finished", [6.5], {})
    confirmed: list[Kind] = [("finished", [6.6], {CONFIRMS: 0}), ("finished", [6.7], {CONFIRMS: 0})]
    assert what(known(one), n_total=None, left_s=5.0, pruner="median")[0] == "enqueue"
    assert what(known(one, *confirmed), n_total=None, left_s=5.0, pruner="median") == ("start", None, {})


def test_a_study_by_halving_keeps_the_time_to_bring_one_to_its_end_also_without_confirmation() -> None:
    paused = known(("pruned", [7.0], {}), ("pruned", [6.9], {}))
    assert what(paused, n_total=None, left_s=11.0, top=0) == ("start", None, {})
    assert what(paused, n_total=None, left_s=10.0, top=0) == ("enqueue", 1, {CONTINUES: 1, NEVER_PRUNED: True})


def test_nothing_is_confirmed_before_its_time_while_another_may_still_be_better() -> None:
    found = known(("finished", [6.5], {}), ("running", [6.4], {}))
    assert what(found, n_total=2, top=1, left_s=500.0) == ("wait", None, {})


def left_of(*kinds: Kind, **more: Any) -> RemainingWork:
    study = optuna.create_study()
    study.set_user_attr("startup_trials", 3)
    study.add_trials(trials(*kinds))
    return remaining_work(study, config(**more))


def test_what_is_left_are_paused_trials_that_can_go_on_and_new_seeds_that_have_not_come_to_their_end() -> None:
    best: list[Kind] = [("finished", [6.5], {}), ("finished", [6.6], {}), ("finished", [6.7], {})]
    seeds: list[Kind] = [("finished", [6.8], {CONFIRMS: number}) for number in (0, 0, 1, 1)]
    assert left_of(*best) == RemainingWork(can_continue=False, n_seeds_missing=4, n_seeds=4)
    assert left_of(*best, *seeds[:2], ("running", [], {CONFIRMS: 1})) == RemainingWork(False, 2, 4)
    assert left_of(*best, *seeds) == RemainingWork(False, 0, 4)
    assert left_of(*best, top=0) == RemainingWork(False, 0, 0)
    paused: list[Kind] = [("pruned", [7.0], {}), ("pruned", [6.9], {})]
    assert left_of(*paused) == RemainingWork(True, 4, 4), "both can be brought to their end"
    assert left_of(*paused, pruner="median") == RemainingWork(False, 0, 0), "stopped for good"


def test_the_next_step_names_what_another_call_would_do_and_what_is_possible_now() -> None:
    confirm, go_on = RemainingWork(True, 3, 6).next_commands("small"), RemainingWork(True, 0, 6).next_commands("small")
    assert confirm == (
        "make tune STUDY=small to confirm the best (3 of 6 new seeds are missing); "
        "or make best-retrain STUDY=small to retrain the best so far"
    )
    assert go_on == "make best-retrain STUDY=small; or make tune STUDY=small to continue paused trials"
    assert RemainingWork(False, 0, 6).next_commands("small") == ""
