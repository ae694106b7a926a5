"""Pareto front of a study with two objectives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optuna.study import StudyDirection
from optuna.trial import create_trial

from hpo.config.schema import StudyConfig
from hpo.optunahub.samplers.learning_curves.in_memory_studies import in_memory_study


@dataclass(frozen=True)
class ParetoTrial:
    """A finished trial's score in bits per dimension and its second objective; both are minimised."""

    number: int
    val_bpd: float
    second: float


@dataclass(frozen=True)
class ParetoFront:
    """Non-dominated trials (`front`) and dominated trials (`dominated`), each in the order of their scores.

    `name` is the name of the second objective.
    """

    name: str
    front: tuple[ParetoTrial, ...]
    dominated: tuple[ParetoTrial, ...]


def pareto_front_data(name: str, trials: Iterable[ParetoTrial]) -> ParetoFront:
    """Split finished trials into non-dominated and dominated ones, as Optuna's `Study.best_trials` does.

    Trials with equal values are either all on the front or all dominated.
    """
    ordered = sorted(trials, key=lambda trial: (trial.val_bpd, trial.second, trial.number))
    view = in_memory_study(directions=[StudyDirection.MINIMIZE] * 2)
    view.add_trials([create_trial(values=[trial.val_bpd, trial.second]) for trial in ordered])
    on_front = {trial.number for trial in view.best_trials}
    return ParetoFront(
        name,
        front=tuple(trial for index, trial in enumerate(ordered) if index in on_front),
        dominated=tuple(trial for index, trial in enumerate(ordered) if index not in on_front),
    )


def pareto_front_of(finished: Iterable[tuple[int, Sequence[float]]], config: StudyConfig) -> ParetoFront | None:
    """Compute the Pareto front of a study from the numbers and objective values of its finished trials.

    Returns: None for a study with one objective, or without a finished trial.
    """
    if len(config.objectives) == 1:
        return None
    trials = [ParetoTrial(number, *values) for number, values in finished if values]
    return pareto_front_data(config.objectives[1], trials) if trials else None


def objectives_notice(config: StudyConfig) -> str | None:
    """Return the text that a user of a study with two objectives must read; None for one objective."""
    if len(config.objectives) == 1:
        return None
    return (
        f"Two objectives, {' and '.join(config.objectives)}, both minimised: the search finds a Pareto front. "
        "Pruning and confirmation are off: both compare val_bpd alone, and a trial that is bad by val_bpd may still "
        "be on the front."
    )
