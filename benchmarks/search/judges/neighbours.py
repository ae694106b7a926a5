"""Judge of nearest neighbours: the mean of the table's nearest configurations, weighted by their distance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search.configurations import Configuration
from benchmarks.search.gaussian_process import Array
from benchmarks.search.judges.scaled_table import ScaledTable
from benchmarks.search.protocol import Values

N_NEIGHBOURS = 5


@dataclass(frozen=True)
class Neighbours:
    """Mean of the nearest neighbours' scaled scores, of weights that fall linearly to 0 at the next neighbour."""

    scaled: ScaledTable

    @classmethod
    def fit(cls, table: Sequence[Configuration], noise_E: Array) -> "Neighbours":
        """Keep the table; `noise_E` is not used."""
        return cls(ScaledTable.of(table))

    def draw(self, repetition: int) -> Callable[[Values], Array]:
        """Return the curves, which are the same in every repetition."""
        return lambda values: self.scaled.curve(values, self._predict)

    def _predict(self, point_F: Array) -> Array:
        distances_N = np.sqrt(((self.scaled.points_NF - point_F) ** 2).sum(1))
        *nearest, beyond = np.argsort(distances_N)[: N_NEIGHBOURS + 1]
        weights = 1 - distances_N[nearest] / distances_N[beyond]
        return np.asarray(weights @ self.scaled.y_NE[nearest] / weights.sum())
