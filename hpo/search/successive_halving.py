"""Asynchronous successive halving with promotion (Li et al. 2020): who pauses at a rung, and who goes on later."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol, runtime_checkable

from optuna.samplers import BaseSampler

from hpo.config.schema import Pruner, Training
from hpo.search.configurations import Configuration
from model.config import TrainConfig


@dataclass(frozen=True)
class Candidate:
    """A configuration's scores by report point, whether it waits at its last one to go on, the score that it is
    expected to end with, where somebody expects one, and whether it has come to its end.
    """

    number: int
    scores: Mapping[int, float]
    is_paused: bool
    expected: float | None = None
    has_ended: bool = False

    def score(self, rung: int) -> float:
        """What it is ranked by there."""
        return self.scores[rung] if self.expected is None else self.expected


@dataclass(frozen=True)
class Halving:
    """Rungs are report points below the last; the best 1 in `factor` of all that came to a rung may go on.

    The best are those with the best expected ends; where nothing is expected, with the best scores at the rung. One
    that has paused stays paused where it is expected to end no better than one that has ended.
    """

    rungs: tuple[int, ...]
    factor: int

    @classmethod
    def of(cls, first_rung: int, spacing: int, factor: int, n_reports: int) -> "Halving":
        """Rungs at the first and at its multiples by powers of `spacing`."""
        rungs = []
        rung = max(1, first_rung)
        while rung < n_reports:
            rungs.append(rung)
            rung *= spacing
        return cls(tuple(rungs), factor)

    def rank(self, number: int, rung: int, courses: Iterable[Candidate]) -> tuple[int, int]:
        """The place from 1 of a configuration at a rung, and how many have come so far."""
        ranked = _ranked(courses, rung)
        return [course.number for course in ranked].index(number) + 1, len(ranked)

    def goes_on(self, number: int, rung: int, courses: Iterable[Candidate]) -> bool:
        """Whether one that has just come to a rung need not pause there."""
        place, n_there = self.rank(number, rung, courses)
        return place <= n_there // self.factor

    def promoted(self, courses: Iterable[Candidate]) -> int | None:
        """The paused configuration that is to go on: the best at the highest rung that has one; None where none is."""
        courses = list(courses)
        ends = (course.expected for course in courses if course.has_ended)
        bar = min((end for end in ends if end is not None), default=inf)
        for rung in reversed(self.rungs):
            ranked = _ranked(courses, rung)
            for course in ranked[: len(ranked) // self.factor]:
                hopeful = course.expected is None or course.expected < bar
                if course.is_paused and hopeful and max(course.scores) == rung:
                    return course.number
        return None


def _ranked(courses: Iterable[Candidate], rung: int) -> list[Candidate]:
    there = [course for course in courses if rung in course.scores]
    return sorted(there, key=lambda course: (course.score(rung), course.number))


def halving_of(pruner: Pruner, training: Training) -> Halving | None:
    """A study's rungs; None where another pruner is at work."""
    if pruner.name != "halving":
        return None
    n_reports = TrainConfig(epochs=training.epochs, report_every=training.report_every).n_reports
    first_rung = round(pruner.warmup_epochs / training.report_every)
    return Halving.of(first_rung, pruner.rung_spacing, pruner.reduction_factor, n_reports)


@runtime_checkable
class Expecting(Protocol):
    """A sampler that expects something."""

    def expected_ends(self, known: Sequence[Configuration]) -> Mapping[int, float]:
        """val_bpd that configurations are expected to end with, by their numbers."""


def candidates_of(known: Sequence[Configuration], sampler: BaseSampler | None) -> list[Candidate]:
    """As halving sees them, with what the study's sampler expects."""
    expected: Mapping[int, float] = sampler.expected_ends(known) if isinstance(sampler, Expecting) else {}
    return [
        Candidate(one.number, one.scores, one.is_paused, expected.get(one.number), one.value is not None)
        for one in known
    ]
