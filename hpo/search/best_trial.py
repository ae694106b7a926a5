"""Choice of the best trial, and the scores by which it was chosen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import mean
from typing import Any, Protocol, runtime_checkable

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from hpo.optunahub.samplers.learning_curves.interfaces import Prediction
from hpo.optunahub.samplers.learning_curves.successive_halving import candidates_of
from hpo.search.configurations import Configuration
from hpo.search.missing_confirmations import INDISTINCT

# In lengths of a trial. Farther away, the Gaussian process returns to the mean of all curves: scores would rise.
_FARTHEST = 2.0


@dataclass(frozen=True)
class BestTrial:
    """The best finished trial.

    `val_bpd` is its own score, `params` are its searched values. `confirmation_scores` are the val_bpd of the same
    values with new seeds; if there are any, the trial was chosen by their mean.
    """

    number: int
    val_bpd: float
    confirmation_scores: tuple[float, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Score by which it was chosen, in bits per dimension."""
        return mean(self.confirmation_scores) if self.confirmation_scores else self.val_bpd

    @property
    def label(self) -> str:
        """Label for figures and texts that mark this trial."""
        if not self.confirmation_scores:
            return f"best: trial {self.number}"
        n_seeds = len(self.confirmation_scores)
        return f"best by {f'the mean of {n_seeds} new seeds' if n_seeds > 1 else 'a new seed'}: trial {self.number}"


def best_trial_of(configurations: Iterable[Configuration]) -> BestTrial | None:
    """Return the trial of the lowest score, where one with fewer new seeds than another counts INDISTINCT more.

    The score is the mean over new seeds, or val_bpd where there are none. None if no configuration has finished.
    """
    finished = [configuration for configuration in configurations if configuration.value is not None]
    if not finished:
        return None
    n_seeds = max(len(configuration.confirmation_scores) for configuration in finished)

    def penalized_score(configuration: Configuration) -> tuple[float, int]:
        penalty = INDISTINCT if len(configuration.confirmation_scores) < n_seeds else 0.0
        return configuration.score + penalty, configuration.number

    best = min(finished, key=penalized_score)
    assert best.value is not None, "it has finished"
    return BestTrial(best.last_trial.number, best.value, best.confirmation_scores, best.params)


@dataclass(frozen=True)
class ExpectedBest:
    """The trial to retrain while none has finished: the last one of its configuration that was trained.

    `predicted_score` is the final score that the sampler predicts, None if it predicts none; `last_score` is val_bpd at
    the last report.
    """

    trial: FrozenTrial
    predicted_score: float | None
    last_score: float

    @property
    def number(self) -> int:
        """Number of the trial."""
        return self.trial.number

    @property
    def label(self) -> str:
        """Label for figures that mark this trial."""
        return f"expected best: trial {self.number}"

    @property
    def sentence(self) -> str:
        """Return the sentence that terminal and pages show."""
        if self.predicted_score is None:
            reason = f"is the best of those trained furthest, at {self.last_score:.4f} bits per dimension so far"
        else:
            reason = f"is expected to end best, at {self.predicted_score:.4f} bits per dimension"
        return f"Trial {self.number} {reason}."


# The trial that figures mark.
MarkedTrial = BestTrial | ExpectedBest


def expected_best_of(configurations: Sequence[Configuration], sampler: BaseSampler | None) -> ExpectedBest | None:
    """Return the trial that is expected to end best; None once one has finished, or if none has a score.

    Its configuration is paused, running or interrupted, and has the lowest final score that the sampler predicts, or
    without predictions the lowest score of those that were trained furthest.
    """
    begun = [
        configuration
        for configuration in configurations
        if configuration.scores and (configuration.is_paused or configuration.is_running)
    ]
    if not begun or any(configuration.value is not None for configuration in configurations):
        return None
    predicted = {candidate.number: candidate.predicted_score for candidate in candidates_of(configurations, sampler)}

    def rank(configuration: Configuration) -> tuple[float, int, float]:
        final_score, last_step = predicted[configuration.number], max(configuration.scores)
        return inf if final_score is None else final_score, -last_step, configuration.scores[last_step]

    best = min(begun, key=rank)
    last_trained = [trial for trial in best.trials if trial.intermediate_values][-1]
    return ExpectedBest(last_trained, predicted[best.number], best.scores[max(best.scores)])


@runtime_checkable
class LengthPredictor(Protocol):
    """A sampler that predicts scores of trainings that are longer than a trial."""

    def predict_scores_at(self, configurations: Sequence[Configuration], share: float) -> Mapping[int, Prediction]:
        """Predict val_bpd after `share` times the length of a trial, by the configurations' numbers."""


@dataclass(frozen=True)
class BestAtLength:
    """The trial to retrain for `n_epochs`, longer than a trial, and the score that is expected of it."""

    trial: FrozenTrial
    n_epochs: int
    predicted: Prediction

    @property
    def number(self) -> int:
        """Number of the trial."""
        return self.trial.number

    @property
    def sentence(self) -> str:
        """Return the sentence that terminal and pages show."""
        return (
            f"After {self.n_epochs} epochs, trial {self.number} is expected to score {self.predicted.score:.4f} ± "
            f"{self.predicted.deviation:.4f} bits per dimension, the lowest with its standard deviation added."
        )


def predicted_share(n_epochs: int, trial_epochs: int) -> float:
    """Return the length of a training, in lengths of a trial, that predictions are made for: _FARTHEST at most."""
    return min(n_epochs / trial_epochs, _FARTHEST)


def best_at_length(
    configurations: Sequence[Configuration], sampler: BaseSampler | None, n_epochs: int, trial_epochs: int
) -> BestAtLength | None:
    """Return the trial to retrain for longer than a trial; None if it is no longer, and without such predictions.

    It has the lowest predicted score with the prediction's standard deviation added: a short steep curve may promise
    most, and is known least. In a search of the sample (12 configurations of 8 epochs, retrained for 14), a trial that
    was paused at epoch 4 promised 6.01 ± 0.09 and came to 6.039; the best finished one comes to 6.029. A training of
    more than _FARTHEST times a trial's length is predicted as one of this length.
    """
    if n_epochs <= trial_epochs or not isinstance(sampler, LengthPredictor):
        return None
    predicted = sampler.predict_scores_at(configurations, predicted_share(n_epochs, trial_epochs))
    trainable = [
        configuration
        for configuration in configurations
        if configuration.number in predicted
        and (configuration.value is not None or configuration.is_paused or configuration.is_running)
    ]
    if not trainable:
        return None
    best = min(trainable, key=lambda configuration: (predicted[configuration.number].upper, configuration.number))
    last_trained = [trial for trial in best.trials if trial.intermediate_values][-1]
    return BestAtLength(last_trained, n_epochs, predicted[best.number])
