"""The table by configuration.

Legend: R runs of one configuration, F features, E epochs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search.gaussian_process import Array
from benchmarks.search.protocol import Values
from benchmarks.search.table import N_EPOCHS, Curve


@dataclass(frozen=True)
class Configuration:
    """A configuration and its runs' scores, shape (R, E); without any where one of its runs diverged."""

    values: Values
    curves_RE: Array

    @property
    def diverged(self) -> bool:
        """True if a run of this configuration diverged."""
        return len(self.curves_RE) == 0

    @property
    def mean_E(self) -> Array:
        """Over seeds."""
        return np.asarray(self.curves_RE.mean(0))


def by_configuration(curves: Sequence[Curve]) -> list[Configuration]:
    """In the order of their indices."""
    runs: dict[int, list[Curve]] = {}
    for curve in curves:
        runs.setdefault(curve.index, []).append(curve)
    return [_configuration(runs[index]) for index in sorted(runs)]


def features(values: Values) -> Array:
    """Return a configuration's features, shape (F,): the logarithms of its values, which are all positive.

    The learning rate does by its ratio to the root of the batch size, with which the best one grows (Malladi et al.
    2022): a Gaussian process with a length scale a feature sees no slanting valley by itself.
    """
    logarithms = {name: np.log(value) for name, value in values.items()}
    logarithms["learning_rate"] -= logarithms["batch_size"] / 2
    return np.array([logarithms[name] for name in sorted(values)])


def _configuration(runs: Sequence[Curve]) -> Configuration:
    diverged = any(len(run.val_bpd) < N_EPOCHS for run in runs)
    curves = [] if diverged else [run.val_bpd for run in runs]
    return Configuration(runs[0].values, np.array(curves, float).reshape(-1, N_EPOCHS))
