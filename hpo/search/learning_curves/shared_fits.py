"""Hyperparameters of the Gaussian process that the workers of a study share, since a fit takes seconds."""

from collections.abc import Sequence
from typing import Protocol


class SharedFits(Protocol):
    """Place where a study's processes share the last hyperparameters that one of them has fitted."""

    def get(self, key: str) -> list[float] | None:
        """Return the hyperparameters that were fitted to the scores of this key; None if these are not the last."""

    def put(self, key: str, hyperparameters: Sequence[float]) -> None:
        """Let the other processes have these hyperparameters."""
