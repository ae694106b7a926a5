"""Gaussian processes fitted by scikit-learn, then predicting one point in microseconds.

Legend: N points, F features, E outputs (epochs).
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

Array = NDArray[np.float64]

# Of the prior of a draw.
_N_COSINES = 2000


@dataclass(frozen=True)
class GaussianProcesses:
    """Posterior means of E processes over the same points: y_E = offsets_E + k_E(x, points) @ weights_E.

    For draws also the processes' standard deviations, the values at the points, the standard deviations of their noise
    and the Cholesky factors of their covariances, all but the offsets divided by the standard deviation of y.
    """

    points_NF: Array
    length_scales_EF: Array
    weights_EN: Array
    offsets_E: Array
    scales_E: Array
    sigmas_E: Array
    y_EN: Array
    noise_EN: Array
    factors_ENN: Array

    def __call__(self, x_F: Array) -> Array:
        """Means at one point, shape (E,). scikit-learn's own predict takes a hundred times as long."""
        return np.asarray(self.offsets_E + np.einsum("en,en->e", self._kernel(x_F), self.weights_EN))

    def draw(self, generator: np.random.Generator) -> Callable[[Array], Array]:
        """Draw a function from the posterior of each process, for one point (F,) at a time; shape (E,).

        By Matheron's rule (Wilson et al. 2020, arXiv 2002.09309): a draw from the prior, moved by what the posterior
        mean makes of its distance from the values at the points. The prior is a sum of random cosines (Rahimi & Recht
        2007). All processes share their random numbers, so that their draws go together.
        """
        n_features = self.points_NF.shape[1]
        # The spectral density of the kernel is that of Student's t with 5 degrees of freedom.
        normal = generator.standard_normal((_N_COSINES, n_features))
        frequencies = normal / np.sqrt(generator.chisquare(5, (_N_COSINES, 1)) / 5)
        phases, amplitudes = generator.uniform(0, 2 * np.pi, _N_COSINES), generator.standard_normal(_N_COSINES)
        noise_N = generator.standard_normal(len(self.points_NF))

        def prior(x_F: Array) -> Array:
            cosines = np.cos((x_F / self.length_scales_EF) @ frequencies.T + phases)
            return np.asarray(self.sigmas_E * np.sqrt(2 / _N_COSINES) * (cosines @ amplitudes))

        prior_EN = np.array([prior(point) for point in self.points_NF]).T
        missing_EN = self.y_EN - prior_EN - self.noise_EN * noise_N
        weights_EN = np.array(
            [cho_solve((factor, True), missing) for factor, missing in zip(self.factors_ENN, missing_EN, strict=True)]
        )
        weights_EN *= (self.sigmas_E**2)[:, None]

        def posterior(x_F: Array) -> Array:
            moved = prior(x_F) + np.einsum("en,en->e", self._kernel(x_F), weights_EN)
            return np.asarray(self.offsets_E + self.scales_E * moved)

        return posterior

    def _kernel(self, x_F: Array) -> Array:
        """Correlations of a point with all points, shape (E, N)."""
        scaled_ENF = (x_F - self.points_NF) / self.length_scales_EF[:, None, :]
        distance_EN = np.sqrt(5 * np.einsum("enf,enf->en", scaled_ENF, scaled_ENF))
        return np.asarray((1 + distance_EN + distance_EN**2 / 3) * np.exp(-distance_EN))


def fit(points_NF: Array, y_NE: Array, noise_NE: Array) -> GaussianProcesses:
    """One process for each output: Matérn 5/2 with a length scale a feature, and white noise for what it cannot follow.

    `noise_NE` are the known variances of y. Hyperparameters maximise the marginal likelihood (Rasmussen and Williams
    2006, chapter 5).
    """
    offsets_E, scales_E = y_NE.mean(0), y_NE.std(0) + 1e-12
    fitted = [
        _fit_one(points_NF, (y_NE[:, e] - offsets_E[e]) / scales_E[e], noise_NE[:, e] / scales_E[e] ** 2)
        for e in range(y_NE.shape[1])
    ]
    # kernel_ is (amplitude * Matérn) + white noise.
    length_scales = [np.broadcast_to(regressor.kernel_.k1.k2.length_scale, points_NF.shape[1]) for regressor in fitted]
    weights = [
        regressor.kernel_.k1.k1.constant_value * scale * regressor.alpha_
        for regressor, scale in zip(fitted, scales_E, strict=True)
    ]
    white = [regressor.kernel_.k2.noise_level for regressor in fitted]
    return GaussianProcesses(
        points_NF=points_NF,
        length_scales_EF=np.array(length_scales),
        weights_EN=np.array(weights),
        offsets_E=offsets_E,
        scales_E=scales_E,
        sigmas_E=np.sqrt([regressor.kernel_.k1.k1.constant_value for regressor in fitted]),
        y_EN=((y_NE - offsets_E) / scales_E).T,
        noise_EN=np.sqrt((noise_NE / scales_E**2).T + np.array(white)[:, None]),
        factors_ENN=np.array([regressor.L_ for regressor in fitted]),
    )


def _fit_one(points_NF: Array, y_N: Array, noise_N: Array) -> GaussianProcessRegressor:
    n_features = points_NF.shape[1]
    matern = Matern(np.full(n_features, 2.0), (0.1, 100.0), nu=2.5)
    kernel = ConstantKernel(10.0, (0.1, 1e4)) * matern + WhiteKernel(1e-3, (1e-7, 1.0))
    process = GaussianProcessRegressor(kernel, alpha=noise_N + 1e-9)
    with warnings.catch_warnings():
        # A hyperparameter at its bound is a feature that does not matter.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(points_NF, y_N)
