"""Events of running trials, as workers yield them."""

from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState

from model.training.training_loop import EpochMetrics


@dataclass(frozen=True)
class TrialStarted:
    """Start of a trial, or its resumption after `epoch` > 0 epochs.

    `continues` is the number of the paused trial whose training continues; `confirms` the number of the trial whose
    values are trained with a new seed.
    """

    number: int
    values: dict[str, Any]
    epoch: float
    continues: int | None = None
    confirms: int | None = None


@dataclass(frozen=True)
class Notice:
    """Message that a user should read."""

    text: str


@dataclass(frozen=True)
class TrialReported:
    """Report point of a trial; everything up to it is saved."""

    number: int
    metrics: EpochMetrics


@dataclass(frozen=True)
class TrialEnded:
    """End of a trial. `value` is its last val_bpd, None if it never had one."""

    number: int
    state: TrialState
    end: str
    value: float | None


TrialEvent = TrialStarted | Notice | TrialReported | TrialEnded
