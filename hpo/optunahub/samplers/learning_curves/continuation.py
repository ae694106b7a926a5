"""Continuation of paused trials: which one continues, and from which trial's checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.study import Study
from optuna.trial import BaseTrial, FrozenTrial

from .configurations import CONTINUES, NEVER_PRUNED, Configuration
from .pruner import PausingPruner
from .successive_halving import Candidate, best_finished_prediction


def continued_trial(trial: BaseTrial) -> int | None:
    """Return the number of the trial that a trial continues, from whose checkpoint it goes on; None if it is new."""
    number: int | None = trial.user_attrs.get(CONTINUES)
    return number


def enqueue_promotion(study: Study, trial: FrozenTrial | None = None) -> None:
    """Enqueue a trial that continues the paused one to promote: the best of the highest rung that has one.

    It is a callback of `Study.optimize`, and so asked after each trial. Several processes that ask at the same moment
    may continue the same trial twice.

    Example:
        >>> study.optimize(objective, n_trials=60, callbacks=[enqueue_promotion])

    Args:
        study: the study.
        trial: the trial that has just ended, as callbacks get it; it is not used.

    Raises: TypeError: the study's pruner is no `PausingPruner`.
    """
    pruner = _pruner_of(study)
    number = pruner.halving.next_promotion(pruner.candidates_of(study))
    if number is not None:
        _enqueue(study, pruner, number, {})


def enqueue_completion(study: Study) -> int | None:
    """Enqueue a trial that trains the most promising paused configuration to the end, without another pause.

    It is for the end of a search, when no trial may have finished, or a paused one is expected to end better. A
    promotion may wait, too: run all trials that wait.

    Example:
        >>> enqueue_completion(study)
        >>> while study.get_trials(states=[TrialState.WAITING]):
        ...     study.optimize(objective, n_trials=1)

    Returns: the number of the trial to continue; None if there is none.

    Raises: TypeError: the study's pruner is no `PausingPruner`.
    """
    pruner = _pruner_of(study)
    candidates = pruner.candidates_of(study)
    best_finished = best_finished_prediction(candidates)
    paused = [each for each in candidates if each.is_paused and each.scores and each.may_end_below(best_finished)]
    if not paused:
        return None
    return _enqueue(study, pruner, min(paused, key=_promise).number, {NEVER_PRUNED: True})


def _promise(candidate: Candidate) -> tuple[bool, float, int, float]:
    """Return the sort key, smallest for the most promising: by predicted score, else by length and last score."""
    last_step, predicted = max(candidate.scores), candidate.predicted_score
    return predicted is None, 0.0 if predicted is None else predicted, -last_step, candidate.scores[last_step]


def _pruner_of(study: Study) -> PausingPruner:
    if not isinstance(study.pruner, PausingPruner):
        raise TypeError(f"The study's pruner must be a PausingPruner, but got {type(study.pruner).__name__}.")
    return study.pruner


def _enqueue(study: Study, pruner: PausingPruner, number: int, attributes: dict[str, Any]) -> int:
    configuration = _numbered(number, pruner.configurations_of(study))
    continued = configuration.last_trial.number
    study.enqueue_trial(configuration.params, user_attrs={CONTINUES: continued, **attributes})
    return continued


def _numbered(number: int, configurations: Sequence[Configuration]) -> Configuration:
    (configuration,) = (configuration for configuration in configurations if configuration.number == number)
    return configuration
