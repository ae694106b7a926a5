"""Interfaces: what samplers predict for pruners and schedulers, and where processes share what they have fitted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .configurations import Configuration


@dataclass(frozen=True)
class Prediction:
    """A predicted score and its standard deviation, without the luck of another seed."""

    score: float
    deviation: float

    @property
    def upper(self) -> float:
        """The score with its standard deviation added."""
        return self.score + self.deviation


@runtime_checkable
class FinalScorePredictor(Protocol):
    """A sampler that predicts final scores."""

    def predict_final_scores(self, configurations: Sequence[Configuration]) -> Mapping[int, float]:
        """Predict the score at the end of training, by the configurations' numbers."""


class SharedFits(Protocol):
    """Place where a study's processes share the hyperparameters of the process that one of them has fitted last.

    A fit takes seconds.
    """

    def get_or_fit(self, key: str, fit: Callable[[], list[float]]) -> list[float]:
        """Return the hyperparameters that were fitted to the scores of this key, by `fit` if no process has done so.

        Waits if another process is just fitting them.
        """
