"""What this machine does in a second, and what a budget buys on it."""

import math
from dataclasses import dataclass

from hpo.config import Budget, Confirmation, StudyConfig
from hpo.halving import Halving, halving_of
from model.config import TrainConfig
from model.data import ImageData
from model.runtime import Runtime
from model.train import TrainState, train

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
class Forecast:
    """Seconds for one trial at full length, and what follows; `disk_bytes` of a study without its artifacts."""

    images_per_second: float
    trial_s: float
    disk_bytes: float

    def affordable_trials(self, budget: Budget) -> float:
        """Full-length trials within the budget of one call."""
        bounds = [float(budget.trials)] if budget.trials else []
        if budget.timeout_minutes:
            bounds.append(budget.timeout_minutes * 60 / self.trial_s)
        return min(bounds)


def measure(config: StudyConfig, data: ImageData, runtime: Runtime) -> Forecast:
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
    return Forecast(
        images_per_second=timed.images_per_second,
        trial_s=training.epochs * n_train / timed.images_per_second + n_reports * report_s,
        disk_bytes=_BYTES_BESIDE + _BYTES_PER_PARAMETER * sum(p.numel() for p in state.model.parameters()),
    )


def describe(forecast: Forecast, config: StudyConfig, budget: Budget, n_begun: int, runtime: Runtime) -> str:
    """The plan that `tune` prints before it trains; `n_begun` configurations of the study have been tried already."""
    disk_bytes = forecast.disk_bytes + _BYTES_A_TRIAL * forecast.affordable_trials(budget)
    return (
        f"{forecast.images_per_second:,.0f} images/s here ({runtime.describe()}): "
        f"{_bought(forecast, config, budget, n_begun)}{_confirmed(forecast, config, budget)}; "
        f"about {disk_bytes / 1e6:.0f} MB of disk."
    )


def kept_s(trial_s: float, confirmation: Confirmation, call_s: float) -> float:
    """Seconds of a call that confirming the best will take, at most a third of it."""
    return min(MOST_RESERVED * call_s, confirmation.top * confirmation.seeds * trial_s)


def expected_share(halving: Halving | None, n_reports: int) -> float:
    """The part of a whole training that a configuration takes on average, where the best 1 in so many go on."""
    if halving is None:
        return 1.0
    ends = (*halving.rungs, n_reports)
    parts = zip((0, *halving.rungs), ends, strict=True)
    return float(sum((end - begin) / n_reports / halving.factor**rung for rung, (begin, end) in enumerate(parts)))


def _bought(forecast: Forecast, config: StudyConfig, budget: Budget, n_begun: int) -> str:
    """What the bound that binds first comes to."""
    halving, epochs = halving_of(config.pruner, config.training), config.training.epochs
    n_reports = TrainConfig(epochs=epochs, report_every=config.training.report_every).n_reports
    each_s = expected_share(halving, n_reports) * forecast.trial_s
    trials = f"configurations of up to {epochs} epochs" if halving else f"trials of {epochs} epochs"
    minutes = budget.timeout_minutes
    n_left = None if budget.trials is None else max(0, budget.trials - n_begun)
    if minutes and (n_left is None or minutes * 60 < n_left * each_s):
        n_trials = (minutes * 60 - kept_s(forecast.trial_s, config.confirmation, minutes * 60)) / each_s
        return f"{minutes:g} min buy about {n_trials:.0f} {trials}, {_rungs(config, halving) or 'more with pruning'}"
    assert n_left is not None, "a budget has one bound at least"
    return (
        f"{n_left} {trials} take about {_duration(n_left * each_s)}, {_rungs(config, halving) or 'less with pruning'}"
    )


def _rungs(config: StudyConfig, halving: Halving | None) -> str:
    if halving is None:
        return ""
    epochs = ", ".join(f"{rung * config.training.report_every:g}" for rung in halving.rungs)
    return (
        f"where all but the best 1 in {halving.factor} pause after epoch {epochs}" if epochs else "none of which pauses"
    )


def _confirmed(forecast: Forecast, config: StudyConfig, budget: Budget) -> str:
    confirmation = config.confirmation
    if not confirmation.top:
        return ""
    call_s = 60 * budget.timeout_minutes if budget.timeout_minutes else math.inf
    taken = _duration(kept_s(forecast.trial_s, confirmation, call_s))
    seeds = f"{confirmation.seeds} new seeds" if confirmation.seeds > 1 else "a new seed"
    return f", and {taken} to train the best {confirmation.top} again with {seeds} each"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
