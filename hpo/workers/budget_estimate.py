"""What this machine does in a second, and what a budget buys on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hpo.config.schema import Budget, StudyConfig
from hpo.search.configurations import Configuration
from hpo.search.scheduler import Plan, reserved_s
from hpo.search.successive_halving import Halving, halving_of
from hpo.storage.checkpoints import N_KEPT, N_PAUSED
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from model.training.training_loop import TrainState, train

# The part of a call that is kept for confirming the best, at most.
MOST_RESERVED = 1 / 3
_PROBE_IMAGES = 2000
# Weights, gradients' two moments: what a checkpoint holds for each parameter, in float32.
_BYTES_PER_PARAMETER = 12
# Database, frames, pictures and pages.
_BYTES_BESIDE = 10e6
# A trial's artifacts.
_BYTES_A_TRIAL = 0.7e6


@dataclass(frozen=True)
class BudgetEstimate:
    """Seconds for one trial at full length, and what follows."""

    images_per_second: float
    trial_s: float
    checkpoint_bytes: float

    def plan(self, budget: Budget, n_workers: int) -> Plan:
        """What workers go by. They share the machine, so each of them is taken to be so many times slower."""
        call_s = 60 * budget.timeout_minutes if budget.timeout_minutes else math.inf
        return Plan(n_workers, self.trial_s * n_workers, MOST_RESERVED * call_s)

    def configuration_s(self, config: StudyConfig) -> float:
        """Seconds for a configuration on average: under halving most are not trained to their end."""
        training = config.training
        n_reports = TrainConfig(epochs=training.epochs, report_every=training.report_every).n_reports
        return expected_share(halving_of(config.pruner, training), n_reports) * self.trial_s

    def affordable(self, config: StudyConfig, budget: Budget, kept_s: float) -> float:
        """Configurations within the budget of one call, `kept_s` of whose seconds the search does not have."""
        bounds = [float(budget.trials)] if budget.trials is not None else []
        if budget.timeout_minutes:
            bounds.append((budget.timeout_minutes * 60 - kept_s) / self.configuration_s(config))
        return min(bounds)


def measure(config: StudyConfig, data: ImageData, runtime: Runtime) -> BudgetEstimate:
    """Train and score the tutorial's model for a few seconds: the first stretch warms up, the second is timed."""
    n_train = len(data.train)
    probe = TrainConfig(report_every=min(0.5, _PROBE_IMAGES / n_train), epochs=1, **config.model.model_dump())
    state = TrainState(probe, runtime)
    stretches = train(state, data)
    warm_up, timed = next(stretches), next(stretches)
    n_images = timed.images_seen - warm_up.images_seen
    report_s = timed.elapsed_s - warm_up.elapsed_s - n_images / timed.images_per_second
    training = config.training
    n_reports = TrainConfig(epochs=training.epochs, report_every=training.report_every).n_reports
    return BudgetEstimate(
        images_per_second=timed.images_per_second,
        trial_s=training.epochs * n_train / timed.images_per_second + n_reports * report_s,
        checkpoint_bytes=_BYTES_PER_PARAMETER * sum(p.numel() for p in state.model.parameters()),
    )


def describe(
    forecast: BudgetEstimate,
    config: StudyConfig,
    budget: Budget,
    known: Sequence[Configuration],
    plan: Plan,
    runtime: Runtime,
) -> str:
    """The line that `tune` prints before it trains; `known` are the study's configurations so far."""
    kept_s = reserved_s(known, config, plan)
    n_left = None if budget.trials is None else max(0, budget.trials - len(known))
    left = budget.model_copy(update={"trials": n_left})
    n_all = len(known) + forecast.affordable(config, left, kept_s)
    return (
        f"{forecast.images_per_second:,.0f} images/s here ({runtime.describe()}): "
        f"{_search_estimate(forecast, config, left, kept_s)}{_ending(config, kept_s)}; "
        f"about {disk_bytes(forecast, config, n_all, plan.n_workers) / 1e6:.0f} MB of disk."
    )


def disk_bytes(forecast: BudgetEstimate, config: StudyConfig, n_configurations: float, n_workers: int) -> float:
    """What a study of so many configurations takes, with the checkpoints of those that pause at its rungs."""
    halving, confirmation = halving_of(config.pruner, config.training), config.confirmation
    # How many come to each rung, and beyond the last one.
    there = (
        [n_configurations / float(halving.factor**rung) for rung in range(len(halving.rungs) + 1)] if halving else []
    )
    n_trials = sum(there or [n_configurations]) + confirmation.top * confirmation.seeds
    n_checkpoints = N_KEPT + n_workers + sum(min(N_PAUSED, n) for n in there[:-1])
    return _BYTES_BESIDE + _BYTES_A_TRIAL * n_trials + forecast.checkpoint_bytes * n_checkpoints


def expected_share(halving: Halving | None, n_reports: int) -> float:
    """The part of a whole training that a configuration takes on average, where the best 1 in so many go on."""
    if halving is None:
        return 1.0
    ends = (*halving.rungs, n_reports)
    parts = zip((0, *halving.rungs), ends, strict=True)
    return float(sum((end - begin) / n_reports / halving.factor**rung for rung, (begin, end) in enumerate(parts)))


def _search_estimate(forecast: BudgetEstimate, config: StudyConfig, left: Budget, kept_s: float) -> str:
    """What the bound that binds first comes to; with halving from where none pauses to where as many do as may."""
    halving, epochs = halving_of(config.pruner, config.training), config.training.epochs
    trials = f"configurations of up to {epochs} epochs" if halving else f"trials of {epochs} epochs"
    may_pause = halving is not None and bool(halving.rungs)
    n_trials = forecast.affordable(config, left, kept_s)
    if left.timeout_minutes and (left.trials is None or n_trials < left.trials):
        fewest = f"{(60 * left.timeout_minutes - kept_s) / forecast.trial_s:.0f} to " if may_pause else "about "
        pruning = _pruning(config, halving, "more")
        return f"{left.timeout_minutes:g} min buy {fewest}{n_trials:.0f} {trials}, {pruning}"
    assert left.trials is not None, "a study has a bound"
    duration = _duration(left.trials * forecast.configuration_s(config))
    longest = f" to {_duration(left.trials * forecast.trial_s)}" if may_pause else ""
    return f"{left.trials} {trials} take about {duration}{longest}, {_pruning(config, halving, 'less')}"


def _pruning(config: StudyConfig, halving: Halving | None, gain: str) -> str:
    if config.pruner.name == "none":
        return "none of which is pruned"
    if halving is None:
        return f"{gain} with pruning"
    epochs = ", ".join(f"{rung * config.training.report_every:g}" for rung in halving.rungs)
    return (
        f"where what is not among the best 1 in {halving.factor} pauses after epoch {epochs}"
        if epochs
        else "none of which pauses"
    )


def _ending(config: StudyConfig, kept_s: float) -> str:
    if not kept_s:
        return ""
    halves, confirmation = config.pruner.name == "halving", config.confirmation
    seeds = f"{confirmation.seeds} new seeds" if confirmation.seeds > 1 else "a new seed"
    best = f"the best {confirmation.top}"
    if not confirmation.top:
        what = "bring the best to its end"
    elif halves:
        what = f"bring {best} to their end and train them again with {seeds} each"
    else:
        what = f"train {best} again with {seeds} each"
    return f", and {_duration(kept_s)} to {what}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
