"""Scheduler: decides what a free worker does next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf
from statistics import median
from typing import Literal, cast

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from hpo.config.schema import Confirmation, StudyConfig
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES, NEVER_PRUNED
from hpo.optunahub.samplers.learning_curves.successive_halving import Halving, best_finished_prediction, candidates_of
from hpo.search.configurations import CONFIRMS, Configuration, end_of, is_first
from hpo.search.learning_curves.further_search import is_settled
from hpo.search.missing_confirmations import INDISTINCT, missing_confirmations
from hpo.search.pruners import halving_of

# Largest parts of a call's time that are reserved for its end, and for new seeds among that.
_MAX_RESERVED_SHARE, _MAX_CONFIRMATION_SHARE = 1 / 3, 1 / 5
# The estimated duration of a training may be 10% too high.
_MAX_OVERRUN = 1.1


@dataclass(frozen=True)
class Plan:
    """Estimates that a call plans its time with.

    `trial_s` are the seconds of a full training as measured before the first trial has finished; `max_reserved_s`
    bounds the seconds that are reserved for the end of the call, `max_confirmation_s` those of them for new seeds.
    """

    n_workers: int = 1
    trial_s: float = 0.0
    max_reserved_s: float = inf
    max_confirmation_s: float = inf

    @classmethod
    def of_call(cls, timeout_minutes: float | None, n_workers: int, trial_s: float = 0.0) -> "Plan":
        """Return the plan of a call of so many minutes; None: without a limit."""
        call_s = 60 * timeout_minutes if timeout_minutes else inf
        return cls(n_workers, trial_s, _MAX_RESERVED_SHARE * call_s, _MAX_CONFIRMATION_SHARE * call_s)


@dataclass(frozen=True)
class Step:
    """Next action of a free worker.

    start: train a new configuration. enqueue: train `configuration` in a new trial with these `attributes`.
    wait: ask again later, since a running trial may make work. stop: no work is left.
    """

    action: Literal["start", "enqueue", "wait", "stop"]
    configuration: Configuration | None = None
    attributes: tuple[tuple[str, object], ...] = ()

    @property
    def relation(self) -> tuple[str, int] | None:
        """The attribute by which its trial refers to another, and that one's number; None for a new configuration."""
        relations = [(name, number) for name, number in self.attributes if name in (CONTINUES, CONFIRMS)]
        return cast(tuple[str, int], relations[0]) if relations else None


def n_alike(trials: Iterable[FrozenTrial], step: Step) -> int:
    """Count the trials that are like the trial of a step: they refer to the same trial, or begin a configuration."""
    if step.relation is None:
        return sum(is_first(trial) for trial in trials)
    name, number = step.relation
    return sum(trial.user_attrs.get(name) == number for trial in trials)


def limit_of(step: Step, trials: Iterable[FrozenTrial], n_total: int | None) -> float:
    """Return how many trials like that of a step there must not be yet when it begins.

    The step was decided from these trials; meanwhile another worker may have begun the same.
    """
    if step.relation is None:
        return inf if n_total is None else n_total
    return n_alike(trials, step) + 1


def next_step(
    configurations: Sequence[Configuration],
    config: StudyConfig,
    plan: Plan,
    n_total: int | None,
    remaining_s: float,
    sampler: BaseSampler | None = None,
) -> Step:
    """Decide the next step of a free worker.

    While there is time, the search continues: with a promotion, else with a new configuration, unless the study's
    patience has ended. The reserved time at the end is for training the best configurations to the end and for
    confirming them.

    Args:
        configurations: the study's configurations so far.
        config: the study's file.
        plan: estimates of this call.
        n_total: number of configurations that the study may have; None without a limit.
        remaining_s: seconds that this call still has.
        sampler: the study's sampler, which may predict final scores.
    """
    halving, confirmation = halving_of(config.pruner, config.training), config.confirmation
    may_start = n_total is None or len(configurations) < n_total
    search = promotion_step(configurations, halving, sampler)
    if not search and may_start and not is_settled(configurations, config, sampler, plan.n_workers):
        search = Step("start")
    reserved, trial_s = reserved_s(configurations, config, plan), _trial_s(configurations, config) or plan.trial_s
    if search and remaining_s > reserved + _first_stretch_s(configurations, config, trial_s):
        return search
    has_time = remaining_s > reserved + trial_s
    if has_time and any(configuration.is_running for configuration in configurations):
        # A running configuration may become one of the best.
        return Step("wait")
    completion = completion_step(configurations, halving, confirmation, sampler)
    final = completion or _confirmation_step(configurations, confirmation)
    # What cannot end within this call is not worth its time, as long as there is something to search.
    if final and search and _seconds_of(final, config, trial_s) > _MAX_OVERRUN * remaining_s:
        return search
    # Time that was reserved for the end and is not needed there belongs to the search.
    return final or search or _idle_step(configurations)


def reserved_s(configurations: Sequence[Configuration], config: StudyConfig, plan: Plan) -> float:
    """Compute the seconds of a call that are reserved for its end.

    They are for the training of the best configurations to the end, under successive halving, and for new seeds: for as
    many whole trainings as fit into the reserved part of a call.
    """
    halving, confirmation = halving_of(config.pruner, config.training), config.confirmation
    n_affordable = _n_affordable_seeds(configurations, config, plan)
    n_finished = sum(configuration.value is not None for configuration in configurations)
    n_missing = max(0, _n_required(affordable_confirmation(configurations, config, plan)) - n_finished)
    n_seeds = sum(n for _, n in missing_confirmations(configurations, confirmation))
    n_seeds += n_missing * confirmation.seeds if confirmation.top else 0
    n_trainings = (n_missing if halving else 0) + min(n_seeds, n_affordable)
    seconds = _trial_s(configurations, config) or plan.trial_s
    n_rounds = ceil(n_trainings / plan.n_workers)
    if n_rounds * seconds > plan.max_reserved_s:
        n_rounds = int(plan.max_reserved_s / seconds)
    return n_rounds * seconds


def affordable_confirmation(configurations: Sequence[Configuration], config: StudyConfig, plan: Plan) -> Confirmation:
    """Return the part of the confirmation that a call reserves time for."""
    confirmation, n_affordable = config.confirmation, _n_affordable_seeds(configurations, config, plan)
    if n_affordable == inf:
        return confirmation
    top = min(confirmation.top, int(n_affordable))
    return Confirmation(top=top, seeds=min(confirmation.seeds, int(n_affordable) // max(1, top)) or 1)


def _n_affordable_seeds(configurations: Sequence[Configuration], config: StudyConfig, plan: Plan) -> float:
    """Return the number of new seeds that a call reserves time for; infinite without a limit of time.

    It is 0 where one seed alone would be trained, which decides nothing, unless other calls have trained some.
    """
    trial_s = _trial_s(configurations, config) or plan.trial_s
    if not trial_s or plan.max_confirmation_s == inf:
        return inf
    n_affordable = plan.n_workers * int(plan.max_confirmation_s / trial_s)
    has_begun = any(configuration.confirmations for configuration in configurations)
    return n_affordable if has_begun or n_affordable >= min(2, config.confirmation.top) else 0


def _first_stretch_s(configurations: Sequence[Configuration], config: StudyConfig, trial_s: float) -> float:
    """Return the seconds to the first rung while no configuration has finished.

    A new trial takes them from the time that is left to train one to the end.
    """
    halving = halving_of(config.pruner, config.training)
    if halving is None or not halving.rungs or any(configuration.value is not None for configuration in configurations):
        return 0.0
    return trial_s * halving.rungs[0] * config.training.report_every / config.training.n_epochs


def _n_required(confirmation: Confirmation) -> int:
    """Return how many configurations are trained to the end whatever their rank."""
    return max(1, confirmation.top)


def _trial_s(configurations: Sequence[Configuration], config: StudyConfig) -> float | None:
    """Return the median seconds of a full training in this study; None before the first trial has ended.

    Before the first one has finished, it follows from the epochs of the others.
    """
    finished = [configuration for configuration in configurations if configuration.value is not None]
    elapsed = [configuration.last_trial.user_attrs.get("elapsed_s") for configuration in finished]
    measured = [seconds for seconds in elapsed if seconds is not None]
    if not measured:
        attributes = [trial.user_attrs for configuration in configurations for trial in configuration.trials]
        trained = [each for each in attributes if each.get("epoch") and "elapsed_s" in each]
        measured = [config.training.n_epochs * each["elapsed_s"] / each["epoch"] for each in trained]
    return median(measured) if measured else None


def promotion_step(
    configurations: Sequence[Configuration], halving: Halving | None, sampler: BaseSampler | None
) -> Step | None:
    """Return the step that continues the paused configuration to promote; None if there is none."""
    number = halving.next_promotion(candidates_of(configurations, sampler)) if halving else None
    return next((_continue(configuration) for configuration in configurations if configuration.number == number), None)


def completion_step(
    configurations: Sequence[Configuration],
    halving: Halving | None,
    confirmation: Confirmation,
    sampler: BaseSampler | None,
) -> Step | None:
    """Return the step that trains a paused configuration to the end; None if enough have finished or are running.

    Takes the configuration that was trained furthest, and the best of those. Once one has finished, those are left out
    that the sampler expects to end more than INDISTINCT above it.
    """
    if halving is None:
        return None
    n_available = sum(configuration.value is not None or configuration.is_running for configuration in configurations)
    paused = [configuration for configuration in configurations if configuration.is_paused and configuration.scores]
    if n_available >= _n_required(confirmation) or not paused:
        return None
    candidates = {candidate.number: candidate for candidate in candidates_of(configurations, sampler)}
    worst = best_finished_prediction(candidates.values()) + INDISTINCT
    may_win = [configuration for configuration in paused if candidates[configuration.number].may_end_below(worst)]
    return _continue(min(may_win, key=_furthest_then_best), (NEVER_PRUNED, True)) if may_win else None


def _seconds_of(step: Step, config: StudyConfig, trial_s: float) -> float:
    """Return the seconds that a step at the end of a call takes: a new seed's, or the rest of a configuration's."""
    if step.configuration is None or CONTINUES not in dict(step.attributes):
        return trial_s
    training = config.training
    return trial_s * (1 - training.epoch_at(max(step.configuration.scores)) / training.n_epochs)


def _furthest_then_best(configuration: Configuration) -> tuple[int, float]:
    last_step = max(configuration.scores)
    return -last_step, configuration.scores[last_step]


def _confirmation_step(configurations: Sequence[Configuration], confirmation: Confirmation) -> Step | None:
    for configuration, _ in missing_confirmations(configurations, confirmation):
        return Step("enqueue", configuration, ((CONFIRMS, configuration.number), (NEVER_PRUNED, True)))
    return None


def _idle_step(configurations: Sequence[Configuration]) -> Step:
    trials = (trial for configuration in configurations for trial in _latest_trials(configuration))
    return Step("wait" if any(end_of(trial) == "running" for trial in trials) else "stop")


def _latest_trials(configuration: Configuration) -> list[FrozenTrial]:
    return [configuration.last_trial, *configuration.confirmations]


def _continue(configuration: Configuration, *attributes: tuple[str, object]) -> Step:
    return Step("enqueue", configuration, ((CONTINUES, configuration.last_trial.number), *attributes))
