"""Mean learning curves anywhere in the space, from the table's.

Legend: N configurations, F features, E epochs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.search import gaussian_process
from benchmarks.search.configurations import Configuration, features
from benchmarks.search.gaussian_process import Array, GaussianProcesses
from benchmarks.search.protocol import Values

# Bits per dimension. Of 0.05 to 0.4 and none, the one with the least held-out error among the best tenth.
_BELOW_BEST = 0.2


@dataclass(frozen=True)
class MeanCurves:
    """A Gaussian process of log(val_bpd - floor) for each epoch, over standardised features.

    The floor lies a little below the table's best: so differences among good configurations are not lost beside those
    among bad ones.

    Where the nearest configuration of the table diverged, a configuration is taken to diverge as well. It scores, at
    every epoch, the worst that the table has there: a search sees a bad constant, and no cliff bends the processes.
    """

    center_F: Array
    scale_F: Array
    points_NF: Array
    diverged_N: NDArray[np.bool_]
    processes: GaussianProcesses
    floor_E: Array
    worst_E: Array

    @classmethod
    def fit(cls, table: Sequence[Configuration], noise_E: Array) -> "MeanCurves":
        """From mean curves; `noise_E` are the variances of one seed's scores, in bits per dimension squared."""
        features_NF = np.array([features(configuration.values) for configuration in table])
        center_F, scale_F = features_NF.mean(0), features_NF.std(0) + 1e-12
        points_NF = (features_NF - center_F) / scale_F
        diverged_N = np.array([configuration.diverged for configuration in table])
        kept = [configuration for configuration in table if not configuration.diverged]
        means_NE = np.array([configuration.mean_E for configuration in kept])
        n_seeds_N = np.array([len(configuration.curves_RE) for configuration in kept])
        floor_E = means_NE.min(0) - _BELOW_BEST
        above_NE = means_NE - floor_E
        # Of a logarithm: relative variances.
        noise_NE = noise_E / above_NE**2 / n_seeds_N[:, None]
        processes = gaussian_process.fit(points_NF[~diverged_N], np.log(above_NE), noise_NE)
        return cls(center_F, scale_F, points_NF, diverged_N, processes, floor_E, means_NE.max(0))

    def __call__(self, values: Values) -> Array:
        """Mean val_bpd after each epoch, shape (E,)."""
        point_F = (features(values) - self.center_F) / self.scale_F
        if self.diverged_N.any():
            nearest = int(np.argmin(((self.points_NF - point_F) ** 2).sum(1)))
            if self.diverged_N[nearest]:
                return self.worst_E
        return np.asarray(np.exp(self.processes(point_F)) + self.floor_E)
