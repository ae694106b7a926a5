"""What this machine does in a second, and what a budget buys on it."""

from dataclasses import dataclass

from hpo.config import Budget, StudyConfig
from model.config import TrainConfig
from model.data import ImageData
from model.runtime import Runtime
from model.train import TrainState, train

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


def describe(forecast: Forecast, config: StudyConfig, budget: Budget, n_ended: int, runtime: Runtime) -> str:
    """The line that `tune` prints before it trains; `n_ended` trials of the study are over."""
    disk_bytes = forecast.disk_bytes + _BYTES_A_TRIAL * forecast.affordable_trials(budget)
    return (
        f"{forecast.images_per_second:,.0f} images/s here ({runtime.describe()}): "
        f"{_bought(forecast, config.training.epochs, budget, n_ended)}; "
        f"about {disk_bytes / 1e6:.0f} MB of disk."
    )


def _bought(forecast: Forecast, epochs: int, budget: Budget, n_ended: int) -> str:
    """What the bound that binds first comes to."""
    minutes = budget.timeout_minutes
    n_left = None if budget.trials is None else budget.trials - n_ended
    if minutes and (n_left is None or minutes * 60 < n_left * forecast.trial_s):
        n_trials = minutes * 60 / forecast.trial_s
        return f"{minutes:g} min buy about {n_trials:.0f} trials of {epochs} epochs, more with pruning"
    assert n_left is not None, "a budget has one bound at least"
    left = n_left * forecast.trial_s
    duration = f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
    return f"{n_left} trials of {epochs} epochs take about {duration}, less with pruning"
