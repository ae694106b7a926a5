"""Estimate of a call's budget: this machine's speed, and how many configurations fit into the budget."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpo.analysis.formatting import counted, format_duration
from hpo.config.call_arguments import N_BEST_KEPT
from hpo.config.schema import Budget, StudyConfig, Training
from hpo.optunahub.samplers.learning_curves.successive_halving import Halving
from hpo.search.configurations import Configuration
from hpo.search.pruners import halving_of
from hpo.search.scheduler import Plan, affordable_confirmation, reserved_s
from hpo.storage.checkpoints import N_PAUSED_KEPT
from model.config import TrainConfig
from model.data.images import ImageData, LabelledImages
from model.device import Runtime
from model.training.train_state import TrainState
from model.training.training_loop import train

# `training.epochs: auto`: share of the time of a call that a trial gets that is trained to its end, and the bounds.
_AUTO_SHARE, _FEWEST_EPOCHS, _MOST_EPOCHS = 0.1, 3, 40
_MINUTES_WITHOUT_LIMIT = 30
# Trained on in each stretch of the probe, and scored in the first.
_PROBE_IMAGES, _WARM_UP_IMAGES = 1000, 100
_NONE_MAY_END = "perhaps none of them ends in this call, and the one that is expected to end best counts; "
# A checkpoint holds each parameter and its gradient's two moments, in float32.
_BYTES_PER_PARAMETER = 12
# Database, frames, pictures and pages.
_BYTES_BESIDE_TRIALS = 10e6
# Artifacts of one trial.
_BYTES_PER_TRIAL = 0.7e6


@dataclass(frozen=True)
class BudgetEstimate:
    """Training speed, seconds of a full training with its reports, and size of a checkpoint."""

    images_per_second: float
    trial_s: float
    checkpoint_bytes: float

    def plan(self, budget: Budget, n_workers: int) -> Plan:
        """Return the scheduler's plan. Workers share the machine: a trial lasts about `n_workers` times as long."""
        return Plan.of_call(budget.timeout_minutes, n_workers, self.trial_s * n_workers)

    def configuration_s(self, config: StudyConfig) -> float:
        """Return the mean seconds of a configuration: under successive halving, few are trained to the end."""
        halving = halving_of(config.pruner, config.training)
        return expected_share(halving, config.training.n_reports) * self.trial_s

    def n_affordable(self, config: StudyConfig, budget: Budget, reserved_s: float) -> float:
        """Return the number of configurations within the budget of one call.

        `reserved_s` seconds of the call are not available for them.
        """
        bounds = [float(budget.trials)] if budget.trials is not None else []
        if budget.timeout_minutes:
            bounds.append((budget.timeout_minutes * 60 - reserved_s) / self.configuration_s(config))
        return min(bounds)


@dataclass(frozen=True)
class Speed:
    """Speed of training on this machine and these images, seconds of a report, and size of a checkpoint."""

    n_train: int
    images_per_second: float
    report_s: float
    checkpoint_bytes: float

    def settled(self, training: Training, budget: Budget, n_workers: int = 1) -> Training:
        """Return the length of a trial with `auto` replaced: the same share of every budget, within bounds.

        Workers share the machine: a trial lasts about `n_workers` times as long.
        """
        if training.epochs != "auto":
            return training
        epoch_s = self.n_train / self.images_per_second + self.report_s / training.report_every
        minutes = budget.timeout_minutes or _MINUTES_WITHOUT_LIMIT
        n_affordable = _AUTO_SHARE * 60 * minutes / (epoch_s * n_workers)
        return training.model_copy(update={"epochs": round(min(max(n_affordable, _FEWEST_EPOCHS), _MOST_EPOCHS))})

    def estimate(self, training: Training) -> BudgetEstimate:
        """Return what trials of this length cost."""
        training_s = training.n_epochs * self.n_train / self.images_per_second
        reports_s = training.n_reports * self.report_s
        return BudgetEstimate(self.images_per_second, training_s + reports_s, self.checkpoint_bytes)


def measure(config: StudyConfig, data: ImageData, runtime: Runtime) -> Speed:
    """Train and score the tutorial's model for a few seconds: the first stretch warms up, the second is timed."""
    n_train, split, n_few = len(data.train), data.validation, _WARM_UP_IMAGES
    few = replace(data, validation=LabelledImages(split.images[:n_few], split.labels[:n_few]))
    network = config.model.model_dump() | {"pca_start": False}
    probe = TrainConfig(
        report_every=min(0.5, _PROBE_IMAGES / n_train), epochs=1, image_shape=data.image_shape, **network
    )
    state = TrainState(probe, runtime)
    warm_up, timed = next(train(state, few)), next(train(state, data))
    n_images = timed.images_seen - warm_up.images_seen
    return Speed(
        n_train=n_train,
        images_per_second=timed.images_per_second,
        report_s=timed.elapsed_s - warm_up.elapsed_s - n_images / timed.images_per_second,
        checkpoint_bytes=_BYTES_PER_PARAMETER * sum(p.numel() for p in state.model.parameters()),
    )


def describe(
    estimate: BudgetEstimate,
    config: StudyConfig,
    budget: Budget,
    configurations: Sequence[Configuration],
    plan: Plan,
    runtime: Runtime,
) -> str:
    """Return the line that `tune` prints before it trains; `configurations` are those of the study so far."""
    reserved = reserved_s(configurations, config, plan)
    config = config.model_copy(update={"confirmation": affordable_confirmation(configurations, config, plan)})
    n_left = None if budget.trials is None else max(0, budget.trials - len(configurations))
    left = budget.model_copy(update={"trials": n_left})
    n_configurations = len(configurations) + estimate.n_affordable(config, left, reserved)
    has_end = any(configuration.value is not None for configuration in configurations)
    is_long = plan.trial_s > plan.max_reserved_s
    return (
        f"{estimate.images_per_second:,.0f} images/s here ({runtime.describe()}): "
        f"{_describe_search(estimate, config, left, reserved)}; "
        f"{'' if has_end or not is_long else _NONE_MAY_END}"
        f"about {disk_bytes(estimate, config, n_configurations, plan.n_workers) / 1e6:.0f} MB of disk."
    )


def disk_bytes(estimate: BudgetEstimate, config: StudyConfig, n_configurations: float, n_workers: int) -> float:
    """Estimate the size of a study with `n_configurations`, including the checkpoints of trials that pause at rungs."""
    halving, confirmation = halving_of(config.pruner, config.training), config.confirmation
    # Trials that start at report 0 and that are promoted from each rung.
    n_starts = [n_configurations]
    if halving:
        n_starts += [n_configurations / float(halving.factor**rung) for rung in range(1, len(halving.rungs) + 1)]
    n_trials = sum(n_starts) + confirmation.top * confirmation.seeds
    n_checkpoints = N_BEST_KEPT + n_workers + sum(min(N_PAUSED_KEPT, n) for n in n_starts[:-1])
    return _BYTES_BESIDE_TRIALS + _BYTES_PER_TRIAL * n_trials + estimate.checkpoint_bytes * n_checkpoints


def expected_share(halving: Halving | None, n_reports: int) -> float:
    """Return the mean share of a full training that a configuration gets, if 1 in `factor` passes each rung.

    With rungs r_1 < ... < r_k, r_0 = 0 and r_{k+1} = n: sum over i = 0..k of (r_{i+1} - r_i) / (n factor^i).
    """
    if halving is None:
        return 1.0
    ends = (*halving.rungs, n_reports)
    stretches = zip((0, *halving.rungs), ends, strict=True)
    return float(sum((end - start) / n_reports / halving.factor**rung for rung, (start, end) in enumerate(stretches)))


def _describe_search(estimate: BudgetEstimate, config: StudyConfig, budget: Budget, reserved_s: float) -> str:
    """Describe the bound that is reached first.

    With successive halving this is a range: from no pauses at all to as many as the pruner allows.
    """
    halving, length = halving_of(config.pruner, config.training), counted(config.training.n_epochs, "epoch")
    trials = f"configurations of up to {length}" if halving else f"trials of {length}"
    may_pause = halving is not None and bool(halving.rungs)
    if budget.trials == 0:
        last = f"; {format_duration(reserved_s)} to {_last_trainings(config)}" if reserved_s else ""
        return f"no new configuration is left to try{last}"
    n_trials = estimate.n_affordable(config, budget, reserved_s)
    if budget.timeout_minutes and (budget.trials is None or n_trials < budget.trials):
        fewest = f"{(60 * budget.timeout_minutes - reserved_s) / estimate.trial_s:.0f} to " if may_pause else "about "
        last = f"; {format_duration(reserved_s)} of them are reserved to {_last_trainings(config)}"
        search = f"{budget.timeout_minutes:g} min are enough for {fewest}{n_trials:.0f} {trials}"
        return f"{search} ({_describe_pruning(config, halving, 'more')}){last if reserved_s else ''}"
    assert budget.trials is not None, "a study has a bound"
    duration = format_duration(budget.trials * estimate.configuration_s(config))
    longest = f" to {format_duration(budget.trials * estimate.trial_s)}" if may_pause else ""
    last = f", plus {format_duration(reserved_s)} to {_last_trainings(config)}"
    search = f"{budget.trials} {trials} take about {duration}{longest}"
    return f"{search} ({_describe_pruning(config, halving, 'less')}){last if reserved_s else ''}"


def _describe_pruning(config: StudyConfig, halving: Halving | None, gain: str) -> str:
    if config.pruner.name == "none":
        return "none is pruned"
    if halving is None:
        return f"{gain} with pruning"
    epochs = ", ".join(f"{rung * config.training.report_every:g}" for rung in halving.rungs)
    return f"those not among the best 1 in {halving.factor} pause after epoch {epochs}" if epochs else "none pauses"


def _last_trainings(config: StudyConfig) -> str:
    """Describe the trainings of the reserved time."""
    confirmation = config.confirmation
    if not confirmation.top:
        return "train the best to the end"
    seeds = f"{confirmation.seeds} new seeds" if confirmation.seeds > 1 else "a new seed"
    best, each = (f"the best {confirmation.top}", " each") if confirmation.top > 1 else ("the best", "")
    to_the_end = "to the end and " if config.pruner.name == "halving" else ""
    return f"train {best} {to_the_end}again with {seeds}{each}"
