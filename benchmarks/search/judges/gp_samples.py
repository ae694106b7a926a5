"""Judge of Gaussian processes: for each repetition one function drawn from the posterior, not its mean.

Legend: N configurations, F features, E epochs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search import gaussian_process
from benchmarks.search.configurations import Configuration
from benchmarks.search.gaussian_process import Array, GaussianProcesses
from benchmarks.search.judges.scaled_table import ScaledTable
from benchmarks.search.protocol import Values


@dataclass(frozen=True)
class GPSamples:
    """Processes of the logarithms of scores, one for each epoch."""

    scaled: ScaledTable
    processes: GaussianProcesses

    @classmethod
    def fit(cls, table: Sequence[Configuration], noise_E: Array) -> "GPSamples":
        """Fit a process for each epoch; `noise_E` are the variances of one seed's scores."""
        scaled = ScaledTable.of(table)
        # Of a logarithm: relative variances.
        noise_NE = noise_E / np.exp(scaled.y_NE) ** 2 / scaled.n_seeds_N[:, None]
        return cls(scaled, gaussian_process.fit(scaled.points_NF, scaled.y_NE, noise_NE))

    def draw(self, repetition: int) -> Callable[[Values], Array]:
        """Return the curves of one draw."""
        drawn = self.processes.draw(np.random.default_rng(repetition))
        return lambda values: self.scaled.curve(values, drawn)
