"""Gaussian process over learning curves: predicts the final score of a configuration from scores at earlier epochs.

A score is modelled as the sum of a curve that all configurations share, an offset of the configuration, and a part of
the configuration that changes during training (freeze-thaw: Swersky, Snoek & Adams 2014, there with an exponential
kernel over time). So a few finished curves suffice to predict where the many paused ones would have ended.

Legend: N scores, F features of a configuration, M configurations to predict.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri

from .search_space_transform import Array

_MAX_OPTIMIZER_STEPS = 60
# Added to the noise variance, so that the Cholesky decomposition exists.
_JITTER = 1e-6
# Configurations whose means are computed at once: of more, the kernel's matrices would not fit into the processor's
# cache. 10,000 means from 600 scores take 0.15 s in such blocks, and 1 s at once.
_BLOCK = 256
# Variance c of a constant that is common to all scores, beside the mean that standardisation removes.
_CONSTANT_VARIANCE = 0.01


@dataclass(frozen=True)
class _Prior:
    """Log-normal prior of a kernel hyperparameter, and the bounds of its optimisation.

    log h ~ N(log median, deviation^2), low <= h <= high.
    """

    median: float
    deviation: float
    low: float
    high: float


# For standardised scores, and features in [0, 1]. Length scales well below 1 keep a handful of scores from being
# fitted by a plane, along which the search would run into a corner of the space.
_LENGTH_SCALE = _Prior(0.5, 0.3, 0.05, 20.0)
_TIME_LENGTH_SCALE = _Prior(0.7, 0.7, 0.1, 10.0)
# Standard deviations sigma_c, sigma_o and sigma_p of the kernel's three terms.
_COMMON_SIGMA, _OWN_SIGMA, _PRODUCT_SIGMA = (_Prior(median, 1.0, 0.01, 20.0) for median in (1.0, 1.0, 0.5))
# sigma_r, of a configuration's run.
_RUN_SIGMA = _Prior(0.1, 1.0, 0.003, 2.0)
_NOISE_SIGMA = _Prior(0.05, 1.0, 0.003, 0.5)


@dataclass(frozen=True)
class Scores:
    """Scores `values` (N,), to be minimised, each of a configuration with `features` (N, F) after a share of its
    training, `shares` (N,) in (0, 1].
    """

    features: Array
    shares: Array
    values: Array


class LearningCurveGP:
    """Gaussian process with the kernel

        k((x, t), (x', t')) = σ_c² k_t(t, t') + σ_o² k_x(x, x') + σ_p² k_x(x, x') k_t(t, t') + σ_r² [x = x'] + c
        k_x(x, x') = (1 + r + r²/3) exp(-r),  r² = 5 Σ_f (x_f - x'_f)² / l_f²     (Matérn 5/2)
        k_t(t, t') = exp(-(t - t')² / (2 l_t²))

    over features x in [0, 1]^F of a configuration and t = log2(share of training) / 3. The first term is the curve that
    all configurations share, the second a configuration's own offset, the third its own change during training. The
    fourth is what a configuration has in common with no other values, however near, such as the luck of its seed: a
    prediction follows a configuration's own curve, even where its neighbours are otherwise. Scores have independent
    normal noise of variance σ_n². The process sees standardised scores, see `standardize`.

    Hyperparameters are θ = (log l_1, ..., log l_F, log l_t, log σ_c, log σ_o, log σ_p, log σ_r, log σ_n), (F + 6,).
    """

    def __init__(self, scores: Scores, hyperparameters: Array | None = None, gap: float | None = None) -> None:
        """Fit the process to scores.

        Args:
            scores: the observations.
            hyperparameters: θ of another process; by default θ maximises the posterior density.
            gap: distance of the floor to the best score, see `standardize`; by default the interquartile range.
        """
        self.gap = gap or _interquartile_range(scores.values)
        self._floor = float(scores.values.min()) - self.gap
        logarithms = np.log(scores.values - self._floor)
        self._mean, self._deviation = float(logarithms.mean()), float(logarithms.std()) + 1e-9
        self._x = _points(scores.features, scores.shares)
        self._y = (logarithms - self._mean) / self._deviation
        sigmas = [_COMMON_SIGMA, _OWN_SIGMA, _PRODUCT_SIGMA, _RUN_SIGMA, _NOISE_SIGMA]
        priors = [_LENGTH_SCALE] * scores.features.shape[1] + [_TIME_LENGTH_SCALE, *sigmas]
        self._priors = np.array([(math.log(p.median), p.deviation) for p in priors])
        self.hyperparameters = self._maximize_posterior(priors) if hyperparameters is None else hyperparameters
        self._factor = cholesky(self._covariance(self.hyperparameters), lower=True)
        self._weights = cho_solve((self._factor, True), self._y)

    def predict_final(self, features_MF: Array, share: float = 1.0) -> tuple[Array, Array]:
        """Compute means and standard deviations, each (M,), of the standardised scores at the end of training (t = 0).

        With another `share` they are those after that share of a training, above 1 of a longer one.

        With K the covariance of the observed scores y, noise included, and k the covariances to a point x:
        mean = k' K^-1 y, variance = k(x, x) - k' K^-1 k, without the noise of a score, and without the luck of a run
        that has not begun.
        """
        cross = self._cross_kernel(features_MF, share)
        mean = cross.values @ self._weights
        explained = np.square(solve_triangular(self._factor, cross.values.T, lower=True)).sum(0)
        prior = np.exp(2 * self.hyperparameters[-5:-2]).sum() + _CONSTANT_VARIANCE + cross.of_run.max(1)
        return mean, np.sqrt(np.maximum(prior - explained, 1e-10))

    def sample_final(self, features_MF: Array, n_samples: int, generator: np.random.Generator) -> Array:
        """Draw standardised scores at the end of training, jointly for all configurations, shape (n_samples, M).

        The luck of a run is drawn for observed configurations alone.
        """
        points = _points(features_MF, np.ones(len(features_MF)))
        own, cross = _Kernel(self.hyperparameters, points, points), self._cross_kernel(features_MF)
        is_new = ~cross.is_same.any(1)
        explained = solve_triangular(self._factor, cross.values.T, lower=True)
        covariance = own.values - own.of_run * is_new[:, None] - explained.T @ explained
        factor = cholesky(covariance + _JITTER * np.eye(len(points)), lower=True)
        normal = generator.standard_normal((n_samples, len(points)))
        return np.asarray(cross.values @ self._weights + normal @ factor.T)

    def predict_final_means(self, features_MF: Array) -> Array:
        """Compute the means of `predict_final` alone, in a small part of its time for thousands of configurations."""
        blocks = np.array_split(features_MF, range(_BLOCK, len(features_MF), _BLOCK))
        return np.concatenate([self._cross_kernel(block).values @ self._weights for block in blocks])

    def _cross_kernel(self, features_MF: Array, share: float = 1.0) -> "_Kernel":
        """Return the covariances of scores after a share of the training with the observed scores, (M, N)."""
        return _Kernel(self.hyperparameters, _points(features_MF, np.full(len(features_MF), share)), self._x)

    @property
    def noise(self) -> float:
        """Standard deviation of a standardised score around what its neighbours predict: that of its run and σ_n."""
        return float(np.sqrt(np.exp(2 * self.hyperparameters[-2:]).sum()))

    def standardize(self, values: Array) -> Array:
        """Return z = (log(value - floor) - mean) / deviation, which keeps the order of scores.

        The floor lies `gap` below the best observed score: differences among good scores are then not lost beside those
        among bad ones. Mean and deviation are those of the logarithms of the observed scores.
        """
        above = np.maximum(values - self._floor, 1e-6)
        return np.asarray((np.log(above) - self._mean) / self._deviation)

    def unstandardize(self, z: Array) -> Array:
        """Return exp(z deviation + mean) + floor, the inverse of `standardize`."""
        return np.asarray(np.exp(z * self._deviation + self._mean) + self._floor)

    def _maximize_posterior(self, priors: Sequence[_Prior]) -> Array:
        """Return the most probable θ within its bounds, found by L-BFGS-B from the medians of the priors."""
        from scipy.optimize import minimize

        bounds = [(math.log(prior.low), math.log(prior.high)) for prior in priors]
        optimum = minimize(
            self._negative_log_posterior,
            self._priors[:, 0],
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": _MAX_OPTIMIZER_STEPS},
        )
        return np.asarray(optimum.x)

    def _negative_log_posterior(self, hyperparameters: Array) -> tuple[float, Array]:
        """Compute -log p(θ | y) up to a constant, and its gradient (F + 6,).

        With K = L L': y' K^-1 y / 2 + Σ_i log L_ii + Σ_j (θ_j - log median_j)² / (2 deviation_j²), Rasmussen & Williams
        2006, equations 5.8 and 5.9, and the log-normal priors.
        """
        kernel = _Kernel(hyperparameters, self._x, self._x)
        factor = cholesky(_with_noise(kernel.values, hyperparameters), lower=True)
        weights = cho_solve((factor, True), self._y)
        center, deviation = self._priors.T
        from_center = (hyperparameters - center) / deviation
        total = 0.5 * self._y @ weights + np.log(factor.diagonal()).sum() + 0.5 * np.square(from_center).sum()
        # d/dK of the first two terms, of a symmetric K: (K^-1 - weights weights') / 2.
        slope = 0.5 * (_inverse(factor) - np.outer(weights, weights))
        of_kernel = [float((slope * change).sum()) for change in kernel.derivatives()]
        of_noise = 2 * np.exp(2 * hyperparameters[-1]) * slope.trace()
        return float(total), np.array([*of_kernel, of_noise]) + from_center / deviation

    def _covariance(self, theta: Array) -> Array:
        """Compute K = k(X, X) + (σ_n² + jitter) I of the observed scores, shape (N, N)."""
        return _with_noise(_Kernel(theta, self._x, self._x).values, theta)


class _Kernel:
    """The kernel of `LearningCurveGP` between all pairs of two lists of points (x, t), and its derivatives."""

    def __init__(self, theta: Array, left: Array, right: Array) -> None:
        self._common, self._own, self._product, self._run = np.exp(2 * theta[-5:-1])
        # Squared distances along each axis, on its length scale.
        scaled = (points / np.exp(theta[:-5]) for points in (left, right))
        axes = zip(*(points.T for points in scaled), strict=True)
        self._squares = [np.square(np.subtract.outer(left_axis, right_axis)) for left_axis, right_axis in axes]
        self._r = np.sqrt(5 * sum(self._squares[:-1]))
        self._decay = np.exp(-self._r)
        self._k_x = (1 + self._r + np.square(self._r) / 3) * self._decay
        self._k_t = np.exp(-0.5 * self._squares[-1])
        self.is_same = self._r == 0

    @property
    def values(self) -> Array:
        """Covariances, (left, right)."""
        parts = self._common * self._k_t + self._own * self._k_x + self._product * self._k_x * self._k_t
        return np.asarray(parts + self.of_run + _CONSTANT_VARIANCE)

    @property
    def of_run(self) -> Array:
        """The part of the covariances that a run has with itself alone."""
        return np.asarray(self._run * self.is_same)

    def derivatives(self) -> Iterator[Array]:
        """Yield the derivatives by θ_1, ..., θ_{F+5}, of the shape of `values`."""
        # dk_x / d log l_f = 5/3 (x_f - x'_f)² / l_f² (1 + r) exp(-r)
        by_log_scale = 5 / 3 * (1 + self._r) * self._decay * (self._own + self._product * self._k_t)
        for square in self._squares[:-1]:
            yield square * by_log_scale
        yield self._squares[-1] * self._k_t * (self._common + self._product * self._k_x)
        yield 2 * self._common * self._k_t
        yield 2 * self._own * self._k_x
        yield 2 * self._product * self._k_x * self._k_t
        yield 2 * self.of_run


def _interquartile_range(values: Array) -> float:
    """Return the distance between the quartiles; 1 if they are equal."""
    low, high = np.quantile(values, (0.25, 0.75))
    return float(high - low) or 1.0


def _with_noise(covariance: Array, theta: Array) -> Array:
    """Add the variance of a score's noise to the diagonal of (N, N)."""
    return np.asarray(covariance + (np.exp(2 * theta[-1]) + _JITTER) * np.eye(len(covariance)))


def _inverse(factor: Array) -> Array:
    """Return the inverse of L L'."""
    lower, fault = dpotri(factor, lower=1)
    assert fault == 0, "a Cholesky factor has no zeros on its diagonal"
    return np.asarray(lower + np.tril(lower, -1).T)


def _points(features: Array, shares: Array) -> Array:
    """Return (x, t), shape (N, F + 1), with t = log2(share) / 3: each doubling of the training counts the same."""
    return np.column_stack([features, np.log2(shares) / 3])
