"""What a free worker does next: promote, begin, bring to an end, confirm, wait, or leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from statistics import median
from typing import Literal

from optuna.samplers import BaseSampler

from hpo.config.schema import Confirmation, StudyConfig
from hpo.search.configurations import CONFIRMS, CONTINUES, UNSTOPPED, Configuration, end_of
from hpo.search.confirmation import unconfirmed
from hpo.search.successive_halving import Halving, candidates_of, halving_of


@dataclass(frozen=True)
class Plan:
    """What a call has to go by. Forecasts are in seconds; `most_reserved_s` bounds what is kept for confirmation."""

    n_workers: int = 1
    trial_s: float = 0.0
    most_reserved_s: float = inf


@dataclass(frozen=True)
class Step:
    """What is next, and of which configuration; `attributes` are those of the trial to enqueue."""

    what: Literal["begin", "enqueue", "wait", "leave"]
    configuration: Configuration | None = None
    attributes: tuple[tuple[str, object], ...] = ()


def next_step(
    known: Sequence[Configuration],
    config: StudyConfig,
    plan: Plan,
    n_total: int | None,
    left_s: float,
    sampler: BaseSampler | None = None,
) -> Step:
    """Decide from a study's configurations, the number there may be, the seconds left, and what its sampler expects.

    While there is time, the search goes on: a promotion, else a new configuration. What is left when it must end is for
    bringing the best to their end and for confirming them.
    """
    halving, confirmation = halving_of(config.pruner, config.training), config.confirmation
    may_begin = n_total is None or len(known) < n_total
    search = next_promotion(known, halving, sampler) or (Step("begin") if may_begin else None)
    kept_s = reserved_s(known, config, plan)
    if search and left_s > kept_s:
        return search
    if left_s > kept_s + (_trial_s(known) or plan.trial_s) and any(one.is_under_way for one in known):
        # It may yet be one of the best.
        return Step("wait")
    ending = next_completion(known, halving, confirmation) or _next_confirmation(known, confirmation)
    # What was kept for the end and is not needed there is the search's.
    return ending or search or _pause(known)


def reserved_s(known: Sequence[Configuration], config: StudyConfig, plan: Plan) -> float:
    """Seconds of a call that are kept for bringing the best of a search by halving to their end and confirming them."""
    halving, confirmation = halving_of(config.pruner, config.training), config.confirmation
    n_wanted = _n_wanted(confirmation) if halving else confirmation.top
    n_missing = max(0, n_wanted - sum(one.value is not None for one in known))
    n_each = (1 if halving else 0) + (confirmation.seeds if confirmation.top else 0)
    n_trials = n_missing * n_each + sum(n for _, n in unconfirmed(known, confirmation))
    seconds = _trial_s(known) or plan.trial_s
    return min(plan.most_reserved_s, ceil(n_trials / plan.n_workers) * seconds)


def _n_wanted(confirmation: Confirmation) -> int:
    """How many configurations are brought to their end whatever their rank."""
    return max(1, confirmation.top)


def _trial_s(known: Sequence[Configuration]) -> float | None:
    """What a whole training has taken in this study."""
    taken = [one.last.user_attrs.get("elapsed_s") for one in known if one.value is not None]
    told = [seconds for seconds in taken if seconds is not None]
    return median(told) if told else None


def next_promotion(known: Sequence[Configuration], halving: Halving | None, sampler: BaseSampler | None) -> Step | None:
    number = halving.promoted(candidates_of(known, sampler)) if halving else None
    return next((_continue(one) for one in known if one.number == number), None)


def next_completion(known: Sequence[Configuration], halving: Halving | None, confirmation: Confirmation) -> Step | None:
    """Bring the furthest, and among them the best, to its end where too few are there or on their way."""
    if halving is None:
        return None
    n_there = sum(one.value is not None or one.is_under_way for one in known)
    paused = [one for one in known if one.is_paused and one.scores]
    if n_there >= _n_wanted(confirmation) or not paused:
        return None
    return _continue(min(paused, key=lambda one: (-max(one.scores), one.scores[max(one.scores)])), (UNSTOPPED, True))


def _next_confirmation(known: Sequence[Configuration], confirmation: Confirmation) -> Step | None:
    for one, _ in unconfirmed(known, confirmation):
        return Step("enqueue", one, ((CONFIRMS, one.number), (UNSTOPPED, True)))
    return None


def _pause(known: Sequence[Configuration]) -> Step:
    trials = (trial for one in known for trial in (one.last, *one.confirmations))
    return Step("wait" if any(end_of(trial) == "running" for trial in trials) else "leave")


def _continue(one: Configuration, *more: tuple[str, object]) -> Step:
    return Step("enqueue", one, ((CONTINUES, one.last.number), *more))
