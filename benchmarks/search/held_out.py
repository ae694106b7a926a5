"""Error of the surrogate on configurations that it was not fitted to: cross-validation.

Legend: N configurations, E epochs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr
from sklearn.model_selection import KFold

from benchmarks.search.configurations import Configuration, by_configuration
from benchmarks.search.gaussian_process import Array
from benchmarks.search.mean_curves import MeanCurves
from benchmarks.search.surrogate import noise_of
from benchmarks.search.table import Curve

_FOLDS = 10


@dataclass(frozen=True)
class HeldOut:
    """Errors at one epoch, in bits per dimension, seed noise of the table included, and Spearman's rank correlation.

    `of_best_quarter` is the RMSE over the quarter of configurations that score best: where searches end.
    """

    epoch: int
    rmse: float
    of_best_quarter: float
    rank_correlation: float


def held_out(curves: Sequence[Curve], epochs: Sequence[int]) -> list[HeldOut]:
    """For these epochs, counted from 1: every configuration is predicted by a surrogate fitted without it.

    Diverged configurations are left out.
    """
    table = [configuration for configuration in by_configuration(curves) if not configuration.diverged]
    columns = [epoch - 1 for epoch in epochs]
    kept = [Configuration(configuration.values, configuration.curves_RE[:, columns]) for configuration in table]
    noise_E = noise_of(table).deviation_E[columns] ** 2
    predicted_NE, true_NE = (
        np.empty((len(kept), len(epochs))),
        np.array([configuration.mean_E for configuration in kept]),
    )
    for fitted, left_out in KFold(_FOLDS, shuffle=True, random_state=0).split(kept):
        means = MeanCurves.fit([kept[index] for index in fitted], noise_E)
        predicted_NE[left_out] = [means(kept[index].values) for index in left_out]
    return [_errors(epoch, predicted_NE[:, e], true_NE[:, e]) for e, epoch in enumerate(epochs)]


def rank_correlations(curves: Sequence[Curve]) -> list[tuple[float, float]]:
    """Spearman's, of scores after each epoch with those after the last: of all, and of the best quarter at the end."""
    table = [configuration for configuration in by_configuration(curves) if not configuration.diverged]
    means_NE = np.array(sorted((list(configuration.mean_E) for configuration in table), key=lambda curve: curve[-1]))
    groups = means_NE, means_NE[: max(3, len(means_NE) // 4)]
    return [
        tuple(float(spearmanr(group[:, epoch], group[:, -1]).statistic) for group in groups)  # type: ignore[misc]
        for epoch in range(means_NE.shape[1])
    ]


def _errors(epoch: int, predicted_N: Array, true_N: Array) -> HeldOut:
    squared_N = (predicted_N - true_N) ** 2
    best = true_N <= np.quantile(true_N, 0.25)
    rank = float(spearmanr(predicted_N, true_N).statistic)
    return HeldOut(epoch, float(np.sqrt(squared_N.mean())), float(np.sqrt(squared_N[best].mean())), rank)
