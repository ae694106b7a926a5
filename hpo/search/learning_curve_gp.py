"""Where learning curves are going: a Gaussian process over configurations and the share of training they have had.

A score is a curve shared by all, plus what belongs to the configuration, plus what of it comes and goes with training
(freeze-thaw: Swersky, Snoek & Adams 2014, there with an exponential kernel). So a few finished curves tell where the
many that were paused would have ended.
N scores, F features of a configuration, M configurations to be judged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hpo.search.search_space_transform import Array

# Bits per dimension below the best score, from where scores are seen on a log scale: so differences among the good
# are not lost beside those among the bad.
_BELOW_BEST = 0.3
_MAX_STEPS = 60
_JITTER = 1e-6
# A constant that is common to all scores, beside their own mean.
_OFFSET = 0.01


@dataclass(frozen=True)
class _Prior:
    """A hyperparameter's logarithm is taken to be normal, and bounded."""

    median: float
    deviation: float
    low: float
    high: float


# Of scores that are standardised, and of features in [0, 1]. Length scales well below 1 keep a handful of scores from
# being taken for a plane, along which the search would run to a corner.
_LENGTH = _Prior(0.5, 0.3, 0.05, 20.0)
_SHARE_LENGTH = _Prior(0.7, 0.7, 0.1, 10.0)
_COMMON, _OWN, _PASSING = (_Prior(median, 1.0, 0.01, 20.0) for median in (1.0, 1.0, 0.5))
_NOISE = _Prior(0.05, 1.0, 0.003, 0.5)


@dataclass(frozen=True)
class Scores:
    """Scores (N,) in bits per dimension of configurations with features (N, F) after shares (N,) of their training."""

    features: Array
    shares: Array
    val_bpd: Array


class LearningCurveGP:
    """The process, its hyperparameters at their most probable values."""

    def __init__(self, scores: Scores, hyperparameters: Tensor | None = None) -> None:
        """With the hyperparameters of another model where they are given, else with the most probable ones."""
        self._floor = float(scores.val_bpd.min()) - _BELOW_BEST
        logarithms = np.log(scores.val_bpd - self._floor)
        self._mean, self._deviation = float(logarithms.mean()), float(logarithms.std()) + 1e-9
        self._x = _points(scores.features, scores.shares)
        self._y = torch.from_numpy((logarithms - self._mean) / self._deviation)
        priors = [_LENGTH] * scores.features.shape[1] + [_SHARE_LENGTH, _COMMON, _OWN, _PASSING, _NOISE]
        self._priors = torch.tensor([(math.log(p.median), p.deviation) for p in priors], dtype=torch.float64)
        self.hyperparameters = self._most_probable(priors) if hyperparameters is None else hyperparameters
        self._factor = torch.linalg.cholesky(self._covariance(self.hyperparameters))
        self._weights = torch.cholesky_solve(self._y[:, None], self._factor)

    def ends(self, features_MF: Array) -> tuple[Array, Array]:
        """Means and standard deviations, each (M,), of the ends of curves, as `level` has them."""
        x = _points(features_MF, np.ones(len(features_MF)))
        cross = self._kernel(self.hyperparameters, x, self._x)
        mean = (cross @ self._weights)[:, 0]
        explained = torch.linalg.solve_triangular(self._factor, cross.T, upper=False).square().sum(0)
        prior = (2 * self.hyperparameters[-4:-1]).exp().sum() + _OFFSET
        deviation = (prior - explained).clamp(min=1e-10).sqrt()
        return mean.numpy(), deviation.numpy()

    @property
    def noise(self) -> float:
        """Standard deviation of a score about its curve, as `level` has it."""
        return float(self.hyperparameters[-1].exp())

    def level(self, val_bpd: Array) -> Array:
        """Scores on the scale that the process sees, on which order is kept."""
        return np.asarray((np.log(np.maximum(val_bpd - self._floor, 1e-6)) - self._mean) / self._deviation)

    def val_bpd(self, level: Array) -> Array:
        """The inverse of `level`."""
        return np.asarray(np.exp(level * self._deviation + self._mean) + self._floor)

    def _most_probable(self, priors: Sequence[_Prior]) -> Tensor:
        from scipy.optimize import minimize

        bounds = [(math.log(prior.low), math.log(prior.high)) for prior in priors]
        found = minimize(
            self._objective,
            self._priors[:, 0].numpy(),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": _MAX_STEPS},
        )
        return torch.from_numpy(found.x)

    def _objective(self, logarithms: Array) -> tuple[float, Array]:
        """The negative log posterior of the hyperparameters' logarithms, up to a constant, and its gradient."""
        at = torch.tensor(logarithms, requires_grad=True)
        factor = torch.linalg.cholesky(self._covariance(at))
        weights = torch.cholesky_solve(self._y[:, None], factor)[:, 0]
        likelihood = 0.5 * self._y @ weights + factor.diagonal().log().sum()
        center, deviation = self._priors.T
        total = likelihood + 0.5 * ((at - center) / deviation).square().sum()
        (gradient,) = torch.autograd.grad(total, at)
        return float(total.detach()), gradient.numpy()

    def _covariance(self, logarithms: Tensor) -> Tensor:
        noise = (2 * logarithms[-1]).exp() + _JITTER
        return self._kernel(logarithms, self._x, self._x) + noise * torch.eye(len(self._x), dtype=torch.float64)

    def _kernel(self, logarithms: Tensor, left: Tensor, right: Tensor) -> Tensor:
        lengths = logarithms[:-4].exp()
        common, own, passing = (2 * logarithms[-4:-1]).exp()
        scaled = [points / lengths for points in (left, right)]
        # Matérn 5/2 over configurations, a Gaussian over shares.
        distance = (5 * _squared_distances(*(points[:, :-1] for points in scaled)) + 1e-12).sqrt()
        alike = (1 + distance + distance.square() / 3) * (-distance).exp()
        in_time = (-0.5 * _squared_distances(*(points[:, -1:] for points in scaled))).exp()
        covariance: Tensor = common * in_time + own * alike + passing * alike * in_time + _OFFSET
        return covariance


def _squared_distances(left: Tensor, right: Tensor) -> Tensor:
    return (left[:, None] - right[None]).square().sum(2)


def _points(features: Array, shares: Array) -> Tensor:
    """With the share's logarithm, (N, F + 1): a curve's first quarter tells as much as its last half."""
    return torch.from_numpy(np.column_stack([features, np.log2(shares)]) / [*([1.0] * features.shape[1]), 3.0])
