"""Scheduler: the next step of a free worker, the time reserved for confirmation, and the work that remains."""

from collections.abc import Sequence
from math import inf
from typing import Any, Literal

import optuna

from hpo.config.schema import Budget, Confirmation, Sampler
from hpo.config.search_space import distributions
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES, NEVER_PRUNED
from hpo.optunahub.samplers.learning_curves.configurations import Configuration as TrainedConfiguration
from hpo.search.configurations import CONFIRMS, Configuration
from hpo.search.missing_confirmations import missing_confirmations, to_confirm
from hpo.search.remaining_work import RemainingWork, remaining_work
from hpo.search.samplers import ConfigurationSampler, make_sampler
from hpo.search.scheduler import Plan, next_step, reserved_s
from tests.search.trial_lists import SPACE, Description, make_configurations, make_trials, small_config

FIRST: Description = ("pruned", [7.0], {})
SECOND: Description = ("pruned", [6.9], {})
TWO_FINISHED: list[Description] = [("finished", [6.5], {}), ("finished", [6.51], {})]


def step_of(
    *descriptions: Description, n_total: int | None = 6, remaining_s: float = inf, **settings: Any
) -> tuple[str, int | None, dict[str, object]]:
    """Return the next step as (action, number of the configuration, attributes). A trial takes ten seconds."""
    configurations, plan = make_configurations(*descriptions), Plan(trial_s=10.0)
    step = next_step(configurations, small_config(**settings), plan, n_total, remaining_s)
    return step.action, step.configuration.number if step.configuration else None, dict(step.attributes)


def test_a_promotion_comes_before_a_new_configuration() -> None:
    assert step_of(FIRST, SECOND) == ("start", None, {})
    assert step_of(FIRST, SECOND, ("pruned", [6.8], {})) == ("enqueue", 2, {CONTINUES: 2})


class _Predictions(ConfigurationSampler):
    """Sampler that predicts these final scores, by number, and 6.0 for all other configurations."""

    def __init__(self, scores: dict[int, float] | None = None) -> None:
        super().__init__("tpe", distributions(SPACE), seed=0, n_startup_trials=1, n_reports=9)
        self._scores = scores or {}

    def predict_final_scores(self, configurations: Sequence[TrainedConfiguration]) -> dict[int, float]:
        return {configuration.number: self._scores.get(configuration.number, 6.0) for configuration in configurations}


def test_if_no_paused_configuration_can_win_new_ones_are_started_until_there_are_enough() -> None:
    curve = [7.0, 6.9, 6.8, 6.7, 6.6, 6.5, 6.4, 6.3, 6.2]
    configurations = make_configurations(
        ("finished", curve, {}), *(("pruned", [6.5 + number / 10], {}) for number in range(5))
    )

    def action(n_total: int, sampler: ConfigurationSampler | None) -> str:
        return next_step(configurations, small_config(top=0), Plan(), n_total, inf, sampler).action

    assert (action(7, None), action(6, None)) == ("enqueue", "enqueue")
    assert (action(7, _Predictions()), action(6, _Predictions())) == ("start", "stop")


def test_after_the_last_configuration_has_started_the_best_are_trained_to_the_end_and_then_confirmed() -> None:
    assert step_of(FIRST, SECOND, n_total=2) == ("enqueue", 1, {CONTINUES: 1, NEVER_PRUNED: True})
    finished: list[Description] = [FIRST, SECOND, ("finished", [6.9, 6.5], {CONTINUES: 1})]
    assert step_of(*finished, n_total=2) == ("enqueue", 0, {CONTINUES: 0, NEVER_PRUNED: True})
    both = [*finished, ("finished", [7.0, 6.51], {CONTINUES: 0})]
    assert step_of(*both, n_total=2) == ("enqueue", 1, {CONFIRMS: 1, NEVER_PRUNED: True})
    enqueued: list[Description] = [*both, ("running", [], {CONFIRMS: 1})]
    assert step_of(*enqueued, n_total=2) == ("enqueue", 0, {CONFIRMS: 0, NEVER_PRUNED: True}), "one seed of each first"
    enqueued.append(("waiting", [], {CONFIRMS: 0}))
    assert step_of(*enqueued, n_total=2) == ("enqueue", 1, {CONFIRMS: 1, NEVER_PRUNED: True})
    confirmations: list[Description] = [("finished", [6.7], {CONFIRMS: number}) for number in (0, 0, 1, 1)]
    assert step_of(*both, *confirmations, n_total=2) == ("stop", None, {})


def test_nothing_is_confirmed_while_a_running_configuration_may_be_better_unless_time_runs_out() -> None:
    descriptions: list[Description] = [("finished", [6.5], {}), ("running", [6.4], {})]
    for remaining_s in (inf, 500.0):
        assert step_of(*descriptions, n_total=2, top=1, remaining_s=remaining_s) == ("wait", None, {})
    assert step_of(*descriptions, n_total=2, top=1, remaining_s=5.0)[0] == "enqueue"


def test_without_confirmation_one_configuration_still_finishes_also_in_time() -> None:
    completion = ("enqueue", 1, {CONTINUES: 1, NEVER_PRUNED: True})
    assert step_of(FIRST, SECOND, n_total=2, top=0) == completion
    assert step_of(("finished", [6.5], {}), n_total=1, top=0) == ("stop", None, {})
    # Ten seconds for a training to the end, and a ninth of it for the first epoch of a new one.
    assert step_of(FIRST, SECOND, n_total=None, remaining_s=11.2, top=0) == ("start", None, {})
    assert step_of(FIRST, SECOND, n_total=None, remaining_s=11.1, top=0) == completion
    slow: Description = ("pruned", [7.0], {"epoch": 5.0, "elapsed_s": 10.0})
    assert step_of(slow, slow, n_total=None, remaining_s=20.1, top=0) == ("start", None, {})
    assert step_of(slow, slow, n_total=None, remaining_s=19.9, top=0)[0] == "enqueue", "18 s, and 2 s for an epoch"
    finished: Description = ("finished", [6.5], {})
    assert step_of(finished, SECOND, n_total=None, remaining_s=0.1, top=0) == ("start", None, {})


def test_what_cannot_end_within_the_call_is_not_begun_while_there_is_something_to_search() -> None:
    # After one of nine reports a training of ten seconds takes 8.9 more; the estimate may be 10% too high.
    paused = [FIRST, SECOND]
    assert step_of(*paused, n_total=None, top=0, remaining_s=8.0) == ("start", None, {})
    assert step_of(*paused, n_total=None, top=0, remaining_s=8.5)[:2] == ("enqueue", 1)
    assert step_of(*paused, n_total=2, top=0, remaining_s=8.0)[:2] == ("enqueue", 1), "nothing is left to search"
    # A new seed takes ten seconds.
    assert step_of(*TWO_FINISHED, n_total=None, pruner="median", remaining_s=9.0) == ("start", None, {})
    assert step_of(*TWO_FINISHED, n_total=None, pruner="median", remaining_s=9.5)[0] == "enqueue"


def test_the_search_stops_when_the_remaining_time_is_needed_for_confirmation() -> None:
    configurations = make_configurations(*TWO_FINISHED, SECOND)
    assert reserved_s(configurations, small_config(), Plan()) == 40.0, "two seeds of each of two, ten seconds each"
    assert reserved_s(configurations, small_config(), Plan(n_workers=4)) == 10.0
    assert reserved_s(configurations, small_config(), Plan(max_reserved_s=15.0)) == 10.0, "one fits"
    assert reserved_s(configurations, small_config(), Plan(max_reserved_s=9.9)) == 0.0
    assert reserved_s([], small_config(), Plan(trial_s=10.0)) == 60.0, "both must be trained to the end first"
    assert reserved_s([], small_config(pruner="median"), Plan(trial_s=10.0)) == 40.0, "the search trains them"
    assert step_of(*TWO_FINISHED, SECOND, n_total=None, remaining_s=41.0)[0] == "start"
    confirmation = ("enqueue", 0, {CONFIRMS: 0, NEVER_PRUNED: True})
    assert step_of(*TWO_FINISHED, SECOND, n_total=None, remaining_s=40.0) == confirmation


def test_reserved_time_that_confirmation_does_not_need_goes_to_the_search() -> None:
    # Under the median pruner one of two has finished; it has no rival unless the search finds one.
    assert step_of(TWO_FINISHED[0], n_total=None, remaining_s=5.0, pruner="median") == ("start", None, {})
    assert step_of(*TWO_FINISHED, n_total=None, remaining_s=9.5, pruner="median")[0] == "enqueue"


def test_the_configuration_that_was_trained_furthest_is_trained_to_the_end_and_the_best_of_those() -> None:
    third_rung: list[Description] = [("pruned", [7.9, 7.8, score], {}) for score in (7.7, 7.6)]
    for descriptions, number in ((third_rung, 1), ([third_rung[0], SECOND], 0), ([SECOND, third_rung[0]], 1)):
        expected = ("enqueue", number, {CONTINUES: number, NEVER_PRUNED: True})
        assert step_of(*descriptions, n_total=2, top=1) == expected
    without_score: Description = ("pruned", [], {})
    assert step_of(without_score, n_total=1, top=1) == ("stop", None, {}), "of a trial that another program pruned"


def test_what_is_expected_to_end_too_high_for_another_choice_is_not_trained_to_the_end() -> None:
    configurations = make_configurations(("finished", [6.5], {}), FIRST, SECOND)

    def step(first: float, second: float) -> tuple[str, int | None]:
        sampler = _Predictions({0: 6.5, 1: first, 2: second})
        found = next_step(configurations, small_config(top=3), Plan(trial_s=10.0), 3, inf, sampler)
        return found.action, found.configuration.number if found.configuration else None

    assert step(6.519, 6.521) == ("enqueue", 1)
    assert step(6.521, 6.519) == ("enqueue", 2)
    assert step(6.521, 6.521) == ("stop", None)


def test_no_more_configurations_are_trained_to_the_end_than_are_confirmed() -> None:
    running: Description = ("running", [6.9], {})
    assert step_of(*TWO_FINISHED, running, FIRST, n_total=4, top=3, remaining_s=5.0)[2] == {
        CONFIRMS: 0,
        NEVER_PRUNED: True,
    }
    assert step_of(*TWO_FINISHED, running, FIRST, n_total=4, top=4, remaining_s=5.0)[2] == {
        CONTINUES: 3,
        NEVER_PRUNED: True,
    }


def test_a_worker_waits_for_running_trials_of_all_kinds_and_then_stops() -> None:
    confirmed: list[Description] = [("finished", [6.6], {CONFIRMS: 0}), ("finished", [6.6], {CONFIRMS: 0})]
    for last, action in (("running", "wait"), ("waiting", "wait"), ("finished", "stop"), ("failed", "stop")):
        seed: Description = (last, [6.6], {CONFIRMS: 0})
        assert step_of(TWO_FINISHED[0], confirmed[0], seed, n_total=1, top=1)[0] == action
    for last, action in (("running", "wait"), ("failed", "stop"), ("diverged", "stop")):
        assert step_of(TWO_FINISHED[0], *confirmed, (last, [6.9], {}), n_total=2, top=1)[0] == action


def test_time_is_planned_with_the_median_of_the_measured_trainings() -> None:
    measured: list[Description] = [("finished", [6.5], {"elapsed_s": seconds}) for seconds in (8.0, 30.0, 9.0)]
    unmeasured: Description = ("finished", [6.49], {"elapsed_s": None})
    paused: Description = ("pruned", [7.0], {"elapsed_s": 1.0})
    configurations = make_configurations(*measured, unmeasured, paused)
    assert reserved_s(configurations, small_config(), Plan(trial_s=50.0)) == 4 * 9.0
    assert reserved_s(configurations, small_config(), Plan(n_workers=3, trial_s=50.0)) == 2 * 9.0, "two rounds"
    only = make_configurations(unmeasured)
    assert reserved_s(only, small_config(top=1), Plan(trial_s=50.0)) == 2 * 50.0


def test_no_time_is_reserved_for_what_is_done_or_switched_off() -> None:
    three = make_configurations(*TWO_FINISHED, ("finished", [6.515], {}))
    assert reserved_s(three, small_config(top=2), Plan()) == 40.0, "the third is not confirmed"
    assert reserved_s(three, small_config(top=0), Plan()) == 0.0
    assert reserved_s([], small_config(top=0), Plan(trial_s=10.0)) == 10.0, "one is trained to the end"
    assert reserved_s([], small_config(top=0, pruner="median"), Plan(trial_s=10.0)) == 0.0


def test_a_worker_waits_only_if_a_training_fits_before_the_reserved_time() -> None:
    # Two seeds of each of the two best: 40 seconds, and ten for a training.
    descriptions: list[Description] = [*TWO_FINISHED, ("running", [6.4], {})]
    assert step_of(*descriptions, n_total=3, remaining_s=50.5)[0] == "wait"
    assert step_of(*descriptions, n_total=3, remaining_s=50.0)[0] == "enqueue"
    assert step_of(*descriptions, n_total=3, remaining_s=40.0)[0] == "enqueue"


def test_missing_seeds_are_those_of_the_best_that_are_neither_trained_nor_enqueued() -> None:
    finished: list[Description] = [("finished", [score], {}) for score in (6.51, 6.5, 6.5)]
    seeds: list[Description] = [("running", [], {CONFIRMS: 1}), *[("failed", [], {CONFIRMS: 2})] * 2]
    configurations = make_configurations(*finished, ("pruned", [6.0], {}), *seeds)

    def missing(top: int, seeds: int) -> list[tuple[int, int]]:
        confirmation = Confirmation(top=top, seeds=seeds)
        return [(found.number, n) for found, n in missing_confirmations(configurations, confirmation)]

    assert missing(3, 2) == [(0, 2), (1, 1)], "those with the fewest seeds first"
    assert missing(2, 3) == [(1, 2), (2, 1)]
    assert missing(0, 2) == []


def test_only_configurations_that_may_be_the_best_are_confirmed() -> None:
    def confirmed(*scores: float, seeds: Sequence[Description] = (), top: int = 3) -> list[int]:
        finished: list[Description] = [("finished", [score], {}) for score in scores]
        found = to_confirm(make_configurations(*finished, *seeds), Confirmation(top=top))
        return [configuration.number for configuration in found]

    assert confirmed(6.515, 6.5, 6.525) == [1, 0]
    assert confirmed(6.53, 6.5, 6.53) == [], "it has no rival"
    assert confirmed(6.53, 6.5, top=1) == [1], "who wants the best alone confirmed gets it"
    lucky: Description = ("finished", [6.515], {CONFIRMS: 0})
    assert confirmed(6.5, 6.51, seeds=[lucky, lucky], top=1) == [1], "it would be chosen now"
    # Its new seed shows that the first one was lucky, or that the other's was not.
    assert confirmed(6.5, 6.51, seeds=[("finished", [6.54], {CONFIRMS: 0})]) == []
    assert confirmed(6.5, 6.51, seeds=[("finished", [6.52], {CONFIRMS: 0})]) == [1, 0]


def test_a_fifth_of_a_call_is_reserved_for_new_seeds_and_nothing_for_one_alone() -> None:
    config, finished = small_config(top=3), make_configurations(*TWO_FINISHED)

    def reserved(seconds: float, n_workers: int = 1, configurations: Sequence[Configuration] = finished) -> float:
        return reserved_s(configurations, config, Plan(n_workers=n_workers, max_confirmation_s=seconds))

    # A training takes ten seconds, and the third configuration has not finished: it takes two seeds and a training.
    assert [reserved(seconds) for seconds in (9.0, 19.0, 20.0, 30.0, inf)] == [0.0, 0.0, 20.0, 40.0, 70.0]
    assert reserved(19.0, n_workers=2) == 10.0, "two at once"
    one_seed = make_configurations(*TWO_FINISHED, ("finished", [6.5], {CONFIRMS: 0}))
    assert reserved(19.0, configurations=one_seed) == 10.0, "the other one's, in the next call"
    assert reserved_s(finished, small_config(top=1), Plan(max_confirmation_s=19.0)) == 10.0
    plan = Plan.of_call(timeout_minutes=5.0, n_workers=1)
    assert (plan.max_reserved_s, plan.max_confirmation_s) == (100.0, 60.0)


def test_the_search_has_the_time_that_is_too_short_for_new_seeds_and_they_have_what_it_leaves() -> None:
    finished, plan = make_configurations(*TWO_FINISHED), Plan(max_confirmation_s=19.0)
    assert next_step(finished, small_config(), plan, None, 1.0).action == "start"
    assert next_step(finished, small_config(), plan, 2, inf).attributes == ((CONFIRMS, 0), (NEVER_PRUNED, True))


def work_of(
    *descriptions: Description,
    sampler: Literal["curves", "tpe"] = "tpe",
    budget: Budget | None = None,
    **settings: Any,
) -> RemainingWork:
    study = optuna.create_study()
    study.set_user_attr("startup_trials", 3)
    study.add_trials(make_trials(*descriptions))
    changed: dict[str, Any] = {"sampler": Sampler(name=sampler)} | ({"budget": budget} if budget else {})
    config = small_config(**settings).model_copy(update=changed)
    return remaining_work(study, config, make_sampler(study, config))


def test_remaining_work_is_paused_trials_that_can_continue_and_new_seeds_that_have_not_ended() -> None:
    best: list[Description] = [*TWO_FINISHED, ("finished", [6.7], {})]
    seeds: list[Description] = [("finished", [6.52], {CONFIRMS: number}) for number in (0, 0, 1, 1)]
    assert work_of(*best) == RemainingWork(can_continue=False, n_seeds_missing=4, n_seeds=4)
    assert work_of(*best, *seeds[:2], ("running", [], {CONFIRMS: 1})) == RemainingWork(False, 2, 4)
    assert work_of(*best, *seeds) == RemainingWork(False, 0, 4)
    assert work_of(*best, top=0) == RemainingWork(False, 0, 0)
    assert work_of(FIRST, SECOND) == RemainingWork(True, 0, 0), "both can be trained to the end"
    assert work_of(FIRST, SECOND, best[0]) == RemainingWork(True, 0, 0)
    assert work_of(FIRST, *TWO_FINISHED, top=3) == RemainingWork(True, 4, 4)
    assert work_of(("pruned", [], {}), top=3) == RemainingWork(False, 0, 0), "it has no score"
    more: list[Description] = [("finished", [6.52], {CONFIRMS: 0})] * 3
    to_promote: list[Description] = [best[0], *[("pruned", [7.0 + n / 10], {}) for n in range(5)]]
    assert work_of(*to_promote, top=1).can_continue and not work_of(*to_promote, top=1, sampler="curves").can_continue
    assert work_of(*to_promote[:4], top=1) == RemainingWork(False, 2, 2), "one in three continues"
    assert work_of(*best, *more) == RemainingWork(False, 2, 4), "more seeds of one do not replace another's"
    assert work_of(FIRST, SECOND, pruner="median") == RemainingWork(False, 0, 0), "a pruned trial is not continued"
    # A training takes ten seconds, and a fifth of half a minute is less than two.
    short = Budget(trials=None, timeout_minutes=0.5)
    assert work_of(*TWO_FINISHED, budget=short) == RemainingWork(False, 0, 0)
    assert work_of(*TWO_FINISHED, budget=Budget(trials=2, timeout_minutes=0.5)) == RemainingWork(False, 4, 4)


def test_the_next_commands_name_the_remaining_work_and_the_alternative() -> None:
    assert RemainingWork(True, 3, 6).next_commands("small") == (
        "make tune STUDY=small to confirm the best (3 of 6 new seeds are missing); "
        "or make best-retrain STUDY=small to retrain the best so far"
    )
    assert RemainingWork(True, 0, 6).next_commands("small") == (
        "make best-retrain STUDY=small; or make tune STUDY=small to continue paused trials"
    )
    assert RemainingWork(False, 0, 6).next_commands("small") == ""
    assert "STUDY='my studies/a.yaml'" in RemainingWork(True, 3, 6).next_commands("my studies/a.yaml")
