"""The noise of training seeds, from configurations trained with several: one path over the epochs a run.

Legend: R runs, E epochs.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search.gaussian_process import Array
from benchmarks.search.protocol import Values

# Until any configuration has two seeds: bits per dimension, independent over epochs.
_UNKNOWN = 0.005


@dataclass(frozen=True)
class SeedNoise:
    """`covariance_EE` of a run's scores about its configuration's mean, in bits per dimension squared."""

    covariance_EE: Array
    root_EE: Array
    degrees_of_freedom: int

    @classmethod
    def estimate(cls, groups: Sequence[Array], n_epochs: int) -> "SeedNoise":
        """From (R, E) curves of each configuration: their covariances within, pooled by degrees of freedom."""
        within = [curves_RE - curves_RE.mean(0) for curves_RE in groups]
        freedom = sum(len(curves_RE) - 1 for curves_RE in groups)
        covariance_EE = _UNKNOWN**2 * np.eye(n_epochs)
        if freedom:
            covariance_EE = np.sum([residual_RE.T @ residual_RE for residual_RE in within], axis=0) / freedom
        values_E, vectors_EE = np.linalg.eigh(covariance_EE)
        # Few seeds leave directions without variance, which rounding makes negative.
        return cls(covariance_EE, vectors_EE * np.sqrt(values_E.clip(0)), freedom)

    @property
    def deviation_E(self) -> Array:
        """Standard deviation at each epoch."""
        return np.sqrt(np.diag(self.covariance_EE))

    @property
    def correlation_EE(self) -> Array:
        """Between epochs."""
        return self.covariance_EE / np.outer(self.deviation_E, self.deviation_E)

    def path(self, repetition: int, values: Values, seed: int) -> Array:
        """A run's noise at each epoch, shape (E,), the same for the same arguments."""
        told = json.dumps([repetition, sorted(values.items()), seed])
        digest = hashlib.blake2b(told.encode(), digest_size=8).digest()
        normal_E = np.random.default_rng(int.from_bytes(digest)).standard_normal(len(self.root_EE))
        return np.asarray(self.root_EE @ normal_E)
