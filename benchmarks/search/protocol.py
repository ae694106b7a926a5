"""Interfaces between a search and the simulator."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution

Space = dict[str, BaseDistribution]
Values = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A run for a free worker, until it is stopped or full-length.

    The same key and seed again goes on from where the run was stopped: no epoch is trained twice. The same key with
    another training seed is another run, from its start.
    """

    key: int
    values: Values
    seed: int = 0


class Search(Protocol):
    """Decides what is trained. One process asks for all workers: calls never overlap."""

    def next(self) -> Job | None:
        """Return the next job of a free worker; None if there is none until something has been reported."""

    def report(self, job: Job, epoch: int, val_bpd: float) -> bool:
        """Hear an epoch's score, from 1 on. True: stop here, pruned or paused; after the last it ends anyway."""

    def incumbent(self) -> Values | None:
        """Values that the search would return now; None before any full-length run."""


@runtime_checkable
class Advised(Search, Protocol):
    """A search that can be given its first configurations."""

    def begin_with(self, values: Values) -> None:
        """Train these values before those that it samples, after those that it was given before."""


@dataclass(frozen=True)
class Call:
    """Limit of a search's compute, and what an epoch takes of it, in seconds."""

    limit_s: float
    trial_s: float
    epoch_s: Callable[[Values], float]


@runtime_checkable
class Planning(Search, Protocol):
    """A search that knows when it will end, and keeps time for the training of its best configuration."""

    def plan(self, call: Call) -> None:
        """End within this limit."""


class Objective(Protocol):
    """Substitute for training."""

    @property
    def target(self) -> float:
        """The true score, bits per dimension, that a search is to reach."""

    def curve(self, values: Values, seed: int) -> NDArray[np.float64]:
        """val_bpd after each epoch of a run, shape (N_EPOCHS,); the same for the same arguments."""

    def seconds(self, values: Values) -> float:
        """Seconds of one epoch."""

    def final(self, values: Values) -> float:
        """The true score: val_bpd after the last epoch, without noise."""
