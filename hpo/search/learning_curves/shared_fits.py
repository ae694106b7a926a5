"""Hyperparameters of the Gaussian process that the workers of a study share, since a fit takes seconds."""

from collections.abc import Callable
from typing import Protocol


class SharedFits(Protocol):
    """Place where a study's processes share the last hyperparameters that one of them has fitted."""

    def get_or_fit(self, key: str, fit: Callable[[], list[float]]) -> list[float]:
        """Return the hyperparameters that were fitted to the scores of this key, by `fit` if no process has done so.

        Waits if another process is just fitting them.
        """
