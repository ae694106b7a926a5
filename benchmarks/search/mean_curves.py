"""Mean learning curves anywhere in the space, from the table's.

Legend: E epochs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.search.configurations import Configuration
from benchmarks.search.gaussian_process import Array
from benchmarks.search.judges.gp_samples import GPSamples
from benchmarks.search.protocol import Values


@dataclass(frozen=True)
class MeanCurves:
    """Posterior means of a Gaussian process of log(val_bpd - floor) for each epoch, over standardised features."""

    fitted: GPSamples

    @classmethod
    def fit(cls, table: Sequence[Configuration], noise_E: Array) -> "MeanCurves":
        """From mean curves; `noise_E` are the variances of one seed's scores, in bits per dimension squared."""
        return cls(GPSamples.fit(table, noise_E))

    def __call__(self, values: Values) -> Array:
        """Mean val_bpd after each epoch, shape (E,)."""
        return self.fitted.scaled.curve(values, self.fitted.processes)
