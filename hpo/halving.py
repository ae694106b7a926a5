"""Asynchronous successive halving with promotion (Li et al. 2020): who pauses at a rung, and who goes on later."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.config import Pruner, Training
from hpo.configurations import Configuration, configurations_of
from model.config import TrainConfig


@dataclass(frozen=True)
class Course:
    """A configuration's scores by report point, and whether it waits at its last one to go on."""

    number: int
    scores: Mapping[int, float]
    is_paused: bool


@dataclass(frozen=True)
class Halving:
    """Rungs are report points below the last; the best 1 in `factor` of all that came to a rung go on."""

    rungs: tuple[int, ...]
    factor: int

    @classmethod
    def of(cls, first_rung: int, factor: int, n_reports: int) -> "Halving":
        """Rungs at the first and at its multiples by powers of the factor."""
        rungs = []
        rung = max(1, first_rung)
        while rung < n_reports:
            rungs.append(rung)
            rung *= factor
        return cls(tuple(rungs), factor)

    def rank(self, number: int, rung: int, courses: Iterable[Course]) -> tuple[int, int]:
        """The place from 1 of a configuration at a rung, and how many have come so far."""
        ranked = _ranked(courses, rung)
        return [course.number for course in ranked].index(number) + 1, len(ranked)

    def goes_on(self, number: int, rung: int, courses: Iterable[Course]) -> bool:
        """Whether one that has just come to a rung need not pause there."""
        place, n_there = self.rank(number, rung, courses)
        return place <= n_there // self.factor

    def promoted(self, courses: Iterable[Course]) -> int | None:
        """The paused configuration that is to go on: the best at the highest rung that has one; None where none is."""
        courses = list(courses)
        for rung in reversed(self.rungs):
            ranked = _ranked(courses, rung)
            for course in ranked[: len(ranked) // self.factor]:
                if course.is_paused and max(course.scores) == rung:
                    return course.number
        return None


def _ranked(courses: Iterable[Course], rung: int) -> list[Course]:
    there = [course for course in courses if rung in course.scores]
    return sorted(there, key=lambda course: (course.scores[rung], course.number))


def halving_of(pruner: Pruner, training: Training) -> Halving | None:
    """A study's rungs; None where another pruner is at work."""
    if pruner.name != "halving":
        return None
    n_reports = TrainConfig(epochs=training.epochs, report_every=training.report_every).n_reports
    return Halving.of(round(pruner.warmup_epochs / training.report_every), pruner.reduction_factor, n_reports)


def course_of(configuration: Configuration) -> Course:
    """As halving sees it."""
    return Course(configuration.number, configuration.scores, configuration.is_paused)


class HalvingPruner(optuna.pruners.BasePruner):
    """Stops a trial at a rung that it does not pass. What was stopped can be continued by another trial."""

    def __init__(self, halving: Halving) -> None:
        self.halving = halving

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether it pauses here; not where it was promoted from, whatever the others have come to since."""
        if trial.last_step not in self.halving.rungs:
            return False
        known = configurations_of(study)
        (one,) = (one for one in known if one.last.number == trial.number)
        if len(one.trials) > 1 and trial.last_step in one.trials[-2].intermediate_values:
            return False
        return not self.halving.goes_on(one.number, trial.last_step, map(course_of, known))

    def verdict(self, study: Study, trial_number: int, rung: int) -> str:
        """Why a trial pauses at a rung, in words."""
        known = configurations_of(study)
        (one,) = (one for one in known if one.last.number == trial_number)
        place, n_there = self.halving.rank(one.number, rung, map(course_of, known))
        n_on = n_there // self.halving.factor
        return f"place {place} of {n_there} at this rung, {n_on or 'none'} of which may go on so far"
