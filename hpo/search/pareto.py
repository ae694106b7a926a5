"""Which finished trials of a study with two objectives no other one beats, as plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ParetoTrial:
    """A finished trial's score in bits per dimension and its second objective; of both, lower is better."""

    number: int
    val_bpd: float
    second: float


@dataclass(frozen=True)
class ParetoFront:
    """Trials that no other one matches in both objectives and beats in one, by their scores, and all the others.

    `name` is the second objective's.
    """

    name: str
    front: tuple[ParetoTrial, ...]
    beaten: tuple[ParetoTrial, ...]


def pareto_front_data(name: str, finished: Iterable[ParetoTrial]) -> ParetoFront:
    """Sort trials into those of the front and the rest; of equal ones all are on it."""
    front: list[ParetoTrial] = []
    beaten: list[ParetoTrial] = []
    least = math.inf
    for one in sorted(finished, key=lambda one: (one.val_bpd, one.second, one.number)):
        is_twin = bool(front) and (one.val_bpd, one.second) == (front[-1].val_bpd, front[-1].second)
        (front if one.second < least or is_twin else beaten).append(one)
        least = min(least, one.second)
    return ParetoFront(name, tuple(front), tuple(beaten))
