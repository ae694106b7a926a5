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
        scaled = self.scaled
        forest = RandomForestRegressor(_N_TREES, random_state=repetition).fit(scaled.points_NF, scaled.y_NE)

        def curve(values: Values) -> Array:
            point_F = scaled.point(values)
            if scaled.diverges(point_F):
                return scaled.worst_E
            return scaled.val_bpd(np.asarray(forest.predict(point_F[None])[0]))

        return curve
