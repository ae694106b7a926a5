"""A table as arrays: standardised features, and logarithms of scores above a floor.

Legend: N configurations, F features, E epochs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.configurations import Configuration, features
from benchmarks.search.gaussian_process import Array
from benchmarks.search.protocol import Values

# Bits per dimension. Of 0.05 to 0.4 and none, the one with the least held-out error among the best tenth.
_BELOW_BEST = 0.2


@dataclass(frozen=True)
class ScaledTable:
    """Logarithms `y_NE` of mean val_bpd above `floor_E`, of configurations that did not diverge, at `points_NF`.

    The floor lies a little below the table's best: so differences among good configurations are not lost beside those
    among bad ones. Where the nearest configuration of the table diverged, a configuration is taken to diverge as well.
    It scores, at every epoch, the worst that the table has there: a search sees a bad constant.
    """

    center_F: Array
    scale_F: Array
    all_points_NF: Array
    diverged_N: NDArray[np.bool_]
    y_NE: Array
    n_seeds_N: Array
    floor_E: Array
    worst_E: Array

    @classmethod
    def of(cls, table: Sequence[Configuration]) -> "ScaledTable":
        """Scale a table."""
        features_NF = np.array([features(configuration.values) for configuration in table])
        center_F, scale_F = features_NF.mean(0), features_NF.std(0) + 1e-12
        kept = [configuration for configuration in table if not configuration.diverged]
        means_NE = np.array([configuration.mean_E for configuration in kept])
        floor_E = means_NE.min(0) - _BELOW_BEST
        return cls(
            center_F=center_F,
            scale_F=scale_F,
            all_points_NF=(features_NF - center_F) / scale_F,
            diverged_N=np.array([configuration.diverged for configuration in table]),
            y_NE=np.log(means_NE - floor_E),
            n_seeds_N=np.array([len(configuration.curves_RE) for configuration in kept]),
            floor_E=floor_E,
            worst_E=means_NE.max(0),
        )

    @property
    def points_NF(self) -> Array:
        """Of the configurations that did not diverge."""
        return self.all_points_NF[~self.diverged_N]

    def curve(self, values: Values, predict: Callable[[Array], Array]) -> Array:
        """Return val_bpd after each epoch, (E,), where `predict` gives the logarithms at standardised features (F,)."""
        point_F = self.point(values)
        return self.worst_E if self._diverges(point_F) else np.exp(predict(point_F)) + self.floor_E

    def point(self, values: Values) -> Array:
        """Return standardised features, shape (F,)."""
        return np.asarray((features(values) - self.center_F) / self.scale_F)

    def _diverges(self, point_F: Array) -> bool:
        """Return True if the nearest configuration of the table diverged."""
        if not self.diverged_N.any():
            return False
        return bool(self.diverged_N[int(np.argmin(((self.all_points_NF - point_F) ** 2).sum(1)))])
