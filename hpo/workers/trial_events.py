"""One trial: sample, train, report, prune. A plain generator: between two events the caller may stop."""

from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState

from model.training.training_loop import EpochMetrics


@dataclass(frozen=True)
class TrialStarted:
    """A trial begins, or goes on after `epoch` > 0 epochs.

    It may continue the training of an earlier trial, or confirm one with a new seed.
    """

    number: int
    values: dict[str, Any]
    epoch: float
    continues: int | None = None
    confirms: int | None = None


@dataclass(frozen=True)
class Notice:
    """Something that whoever watches should read."""

    text: str


@dataclass(frozen=True)
class TrialReported:
    """A report point was reached, and everything up to it is saved."""

    number: int
    metrics: EpochMetrics


@dataclass(frozen=True)
class TrialEnded:
    """A trial is over. `value` is its last val_bpd, None where it never had one."""

    number: int
    state: TrialState
    end: str
    value: float | None


TrialEvent = TrialStarted | Notice | TrialReported | TrialEnded
