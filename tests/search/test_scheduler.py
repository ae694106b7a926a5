"""Scheduler: the next step of a free worker, the time reserved for confirmation, and the work that remains."""

from collections.abc import Sequence
from math import inf
from typing import Any

import optuna

from hpo.config.search_space import distributions
from hpo.search.configurations import CONFIRMS, CONTINUES, NEVER_PRUNED, Configuration
from hpo.search.remaining_work import RemainingWork, remaining_work
from hpo.search.samplers import ConfigurationSampler
from hpo.search.scheduler import Plan, next_step, reserved_s
from tests.search.trial_lists import SPACE, Description, make_configurations, make_trials, small_config

FIRST: Description = ("pruned", [7.0], {})
SECOND: Description = ("pruned", [6.9], {})
TWO_FINISHED: list[Description] = [("finished", [6.5], {}), ("finished", [6.6], {})]


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


class _EqualPredictions(ConfigurationSampler):
    """Sampler that predicts the same final score for all configurations."""

    def __init__(self) -> None:
        super().__init__("tpe", distributions(SPACE), seed=0, n_startup_trials=1, n_reports=9)

    def predict_final_scores(self, configurations: Sequence[Configuration]) -> dict[int, float]:
        return {configuration.number: 6.0 for configuration in configurations}


def test_if_no_paused_configuration_can_win_new_ones_are_started_until_there_are_enough() -> None:
    curve = [7.0, 6.9, 6.8, 6.7, 6.6, 6.5, 6.4, 6.3, 6.2]
    configurations = make_configurations(
        ("finished", curve, {}), *(("pruned", [6.5 + number / 10], {}) for number in range(5))
    )

    def action(n_total: int, sampler: ConfigurationSampler | None) -> str:
        return next_step(configurations, small_config(top=0), Plan(), n_total, inf, sampler).action

    assert (action(7, None), action(6, None)) == ("enqueue", "enqueue")
    assert (action(7, _EqualPredictions()), action(6, _EqualPredictions())) == ("start", "stop")


def test_after_the_last_configuration_has_started_the_best_are_trained_to_the_end_and_then_confirmed() -> None:
    assert step_of(FIRST, SECOND, n_total=2) == ("enqueue", 1, {CONTINUES: 1, NEVER_PRUNED: True})
    finished: list[Description] = [FIRST, SECOND, ("finished", [6.9, 6.5], {CONTINUES: 1})]
    assert step_of(*finished, n_total=2) == ("enqueue", 0, {CONTINUES: 0, NEVER_PRUNED: True})
    both = [*finished, ("finished", [7.0, 6.6], {CONTINUES: 0})]
    assert step_of(*both, n_total=2) == ("enqueue", 1, {CONFIRMS: 1, NEVER_PRUNED: True})
    enqueued: list[Description] = [*both, ("running", [], {CONFIRMS: 1}), ("waiting", [], {CONFIRMS: 1})]
    assert step_of(*enqueued, n_total=2) == ("enqueue", 0, {CONFIRMS: 0, NEVER_PRUNED: True})
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
    assert step_of(FIRST, SECOND, n_total=None, remaining_s=11.0, top=0) == ("start", None, {})
    assert step_of(FIRST, SECOND, n_total=None, remaining_s=10.0, top=0) == completion


def test_the_search_stops_when_the_remaining_time_is_needed_for_confirmation() -> None:
    configurations = make_configurations(*TWO_FINISHED, SECOND)
    assert reserved_s(configurations, small_config(), Plan()) == 40.0, "two seeds of each of two, ten seconds each"
    assert reserved_s(configurations, small_config(), Plan(n_workers=4)) == 10.0
    assert reserved_s(configurations, small_config(), Plan(max_reserved_s=15.0)) == 15.0
    assert reserved_s([], small_config(), Plan(trial_s=10.0)) == 60.0, "both must be trained to the end first"
    assert reserved_s([], small_config(pruner="median"), Plan(trial_s=10.0)) == 40.0, "the search trains them"
    assert step_of(*TWO_FINISHED, SECOND, n_total=None, remaining_s=41.0)[0] == "start"
    confirmation = ("enqueue", 0, {CONFIRMS: 0, NEVER_PRUNED: True})
    assert step_of(*TWO_FINISHED, SECOND, n_total=None, remaining_s=40.0) == confirmation


def test_reserved_time_that_confirmation_does_not_need_goes_to_the_search() -> None:
    # Under the median pruner one of two has finished; there is no second to confirm unless the search finds it.
    confirmations: list[Description] = [("finished", [score], {CONFIRMS: 0}) for score in (6.6, 6.7)]
    assert step_of(TWO_FINISHED[0], n_total=None, remaining_s=5.0, pruner="median")[0] == "enqueue"
    step = step_of(TWO_FINISHED[0], *confirmations, n_total=None, remaining_s=5.0, pruner="median")
    assert step == ("start", None, {})


def work_of(*descriptions: Description, **settings: Any) -> RemainingWork:
    study = optuna.create_study()
    study.set_user_attr("startup_trials", 3)
    study.add_trials(make_trials(*descriptions))
    return remaining_work(study, small_config(**settings))


def test_remaining_work_is_paused_trials_that_can_continue_and_new_seeds_that_have_not_ended() -> None:
    best: list[Description] = [*TWO_FINISHED, ("finished", [6.7], {})]
    seeds: list[Description] = [("finished", [6.8], {CONFIRMS: number}) for number in (0, 0, 1, 1)]
    assert work_of(*best) == RemainingWork(can_continue=False, n_seeds_missing=4, n_seeds=4)
    assert work_of(*best, *seeds[:2], ("running", [], {CONFIRMS: 1})) == RemainingWork(False, 2, 4)
    assert work_of(*best, *seeds) == RemainingWork(False, 0, 4)
    assert work_of(*best, top=0) == RemainingWork(False, 0, 0)
    assert work_of(FIRST, SECOND) == RemainingWork(True, 4, 4), "both can be trained to the end"
    assert work_of(FIRST, SECOND, pruner="median") == RemainingWork(False, 0, 0), "a pruned trial is not continued"


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
