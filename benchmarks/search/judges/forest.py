"""Judge of random forests, each of a bootstrap sample of the table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from benchmarks.search.configurations import Configuration
from benchmarks.search.gaussian_process import Array
from benchmarks.search.judges.scaled_table import ScaledTable
from benchmarks.search.protocol import Values

_N_TREES = 100


@dataclass(frozen=True)
class Forest:
    """A forest (Breiman 2001) for all epochs together, of other trees in every repetition."""

    scaled: ScaledTable

    @classmethod
    def fit(cls, table: Sequence[Configuration], noise_E: Array) -> "Forest":
        """Keep the table; `noise_E` is not used."""
        return cls(ScaledTable.of(table))

    def draw(self, repetition: int) -> Callable[[Values], Array]:
        """Return the curves of a forest grown for this repetition."""
        forest = RandomForestRegressor(_N_TREES, random_state=repetition)
        forest.fit(self.scaled.points_NF, self.scaled.y_NE)
        return lambda values: self.scaled.curve(values, lambda point_F: np.asarray(forest.predict(point_F[None])[0]))
