"""Mixture of Gaussians fitted to the codes of training images, and its samples; the same at every call.

Legend: N images, Z latent, K principal components.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from hpo.figures.arrays import Floats

N_COMPONENTS = 10
_SEED = 5
# Keeps the covariance invertible if dimensions are unused or images few; a tenth of the scale of unused units.
_LEAST_VARIANCE = 1e-4
# Principal components that longer codes are fitted in. 10,000 codes of 512 dimensions, in nats on 5,000 others: one
# Gaussian -714.47; ten in 128 components -714.32, 12 s; ten in all 512 dimensions -714.31, 130 s (one core, Zen 5).
_N_PRINCIPAL = 128


@dataclass(frozen=True)
class LowRankMixture:
    """Mixture over the first principal components of codes; the rest of each dimension is an independent Gaussian."""

    principal: PCA
    mixture: GaussianMixture
    rest_std_Z: Floats

    @property
    def n_components(self) -> int:
        """Number of Gaussians."""
        return int(self.mixture.n_components)

    def sample(self, n_samples: int) -> tuple[Floats, Floats]:
        """Draw codes (N, Z) component by component, and their components (N,), as scikit-learn does."""
        drawn_NK, components_N = self.mixture.sample(n_samples)
        rest_NZ = np.random.default_rng(_SEED).normal(size=(n_samples, len(self.rest_std_Z))) * self.rest_std_Z
        return self.principal.inverse_transform(drawn_NK) + rest_NZ, components_N


def fit_mixture(means_NZ: Floats, n_components: int = N_COMPONENTS) -> GaussianMixture:
    """Fit a mixture of Gaussians to posterior means (Ghosh et al. 2020: ex-post density estimation).

    One covariance shared by all components ("tied"): posterior means are correlated, so diagonal ones fit worse than
    a single Gaussian, and ten full ones have too many parameters. Measured at 128 dimensions on
    4,500 images, in nats on 500 others: tied -61.7, one full Gaussian -62.7, ten full -64.8, ten diagonal -176.3.
    """
    mixture = GaussianMixture(
        min(n_components, len(means_NZ)),
        covariance_type="tied",
        reg_covar=_LEAST_VARIANCE,
        max_iter=200,
        random_state=_SEED,
    )
    return mixture.fit(means_NZ)


def fit_mixture_of_any_size(means_NZ: Floats) -> GaussianMixture | LowRankMixture:
    """Fit a mixture as `fit_mixture`; to more than 128 dimensions in the space of 128 principal components."""
    if means_NZ.shape[1] <= _N_PRINCIPAL:
        return fit_mixture(means_NZ)
    principal = PCA(min(_N_PRINCIPAL, len(means_NZ) - 1), svd_solver="randomized", random_state=_SEED)
    coordinates_NK = principal.fit_transform(means_NZ)
    rest_NZ = means_NZ - principal.inverse_transform(coordinates_NK)
    return LowRankMixture(principal, fit_mixture(coordinates_NK), rest_NZ.std(axis=0))


def mixture_samples(mixture: GaussianMixture | LowRankMixture, n_samples: int) -> Floats:
    """Draw samples (N, Z), shuffled: scikit-learn returns them component by component."""
    drawn, _ = mixture.sample(n_samples)
    shuffled: Floats = np.random.default_rng(_SEED).permutation(drawn)
    return shuffled
