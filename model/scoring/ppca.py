"""Probabilistic PCA, the baseline: fitted exactly and scored in the same bits per dimension as the VAE.

Tipping & Bishop 1999: x = W z + m + noise, z ~ N(0, I), noise ~ N(0, s^2 I), W = U (L - s^2 I)^(1/2) with the d largest
eigenvalues L and eigenvectors U of the images' covariance, s^2 the mean of the other eigenvalues.

N images, D dimensions, d latent dimensions, n directions.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from model.config import DIMENSIONS
from model.data.images import to_unit
from model.scoring.definitions import bits_per_dimension
from model.scoring.elbo import DEQUANTIZATION_VARIANCE

_CHUNK = 2500
# A direction that is estimated from fewer images fits only these, and the noise variance comes out far too small.
IMAGES_PER_DIRECTION = 10
_FEW_EIGENVECTORS = 0.2


@dataclass(frozen=True)
class PPCA:
    """Maximum-likelihood parameters of the models of every size up to n, the number of directions that may be used.

    Attributes:
        mean: mean of the images, (D,).
        eigenvalues: largest eigenvalues of their covariance, descending, (n,).
        eigenvectors: the eigenvectors that belong to them, (D, n).
        total_variance: sum of all eigenvalues.
        n_images: N.
    """

    mean: Tensor
    eigenvalues: Tensor
    eigenvectors: Tensor
    total_variance: float
    n_images: int

    @property
    def variances(self) -> Tensor:
        """Variances along the eigenvectors, with the dequantization noise, (n,)."""
        return self.eigenvalues + DEQUANTIZATION_VARIANCE

    def noise_variance(self, latent_dim: int) -> float:
        """Compute the mean of the discarded eigenvalues (equation 8), plus the dequantization noise's variance."""
        discarded = self.total_variance - float(self.eigenvalues[:latent_dim].sum())
        return max(discarded, 0.0) / (len(self.mean) - latent_dim) + DEQUANTIZATION_VARIANCE


# Cached: a fit takes seconds, and every trial with a linear path needs it.
@lru_cache(maxsize=1)
def fit(images: Tensor) -> PPCA:
    """Fit to uint8 images (N, C, H, W), as points in [0, 1]^D. The last fit is cached for the same tensor object."""
    mean = torch.stack([chunk.sum(0) for chunk in _chunks(images)]).sum(0) / len(images)
    decompose = _eigen_of_inner_products if len(images) < len(mean) else _eigen_of_covariance
    n_used = n_directions(len(mean), len(images), len(mean))
    eigenvalues, eigenvectors, total_variance = decompose(images, mean, n_used)
    return PPCA(mean, eigenvalues.flip(0).clamp(min=0), eigenvectors.flip(1), total_variance, len(images))


def _eigen_of_covariance(images: Tensor, mean: Tensor, n: int) -> tuple[Tensor, Tensor, float]:
    """Compute the n largest eigenvalues of the covariance, ascending, their eigenvectors (D, n), and its trace."""
    covariance_DD = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for chunk in _chunks(images):
        centred = (chunk - mean).float()
        # Its lower triangle, which is all that `eigh` reads: five eighths of the products.
        for columns in torch.arange(len(mean)).chunk(4):
            first, last = int(columns[0]), int(columns[-1]) + 1
            covariance_DD[first:, first:last] += (centred[:, first:].T @ centred[:, first:last]).double()
    covariance_DD /= len(images)
    return *_largest_eigen(covariance_DD, n), float(covariance_DD.trace())


def _largest_eigen(matrix_DD: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return the n largest eigenvalues (n,), ascending, and their eigenvectors (D, n).

    Of 3,072, the 450 largest take SciPy 3.5 s, all take PyTorch 6.5; nearly all would take SciPy a minute.
    """
    if n > len(matrix_DD) * _FEW_EIGENVECTORS:
        eigenvalues, eigenvectors = torch.linalg.eigh(matrix_DD)
        return eigenvalues[-n:], eigenvectors[:, -n:]
    from scipy.linalg import eigh
    from threadpoolctl import threadpool_limits

    largest = [len(matrix_DD) - n, len(matrix_DD) - 1]
    # SciPy has threads of its own.
    with threadpool_limits(torch.get_num_threads()):
        eigenvalues, eigenvectors = eigh(matrix_DD.numpy(), subset_by_index=largest)
    return torch.from_numpy(eigenvalues), torch.from_numpy(eigenvectors)


def _eigen_of_inner_products(images: Tensor, mean: Tensor, n: int) -> tuple[Tensor, Tensor, float]:
    """Compute the same for N < D from the images' inner products: 0.24 s for 80 images.

    X X' / N has the covariance X'X / N's eigenvalues except D - N zeros. Directions along which the images do not vary
    are arbitrary and not orthogonal; nothing depends on them.
    """
    centred_ND = torch.cat(list(_chunks(images))) - mean
    products_NN = centred_ND @ centred_ND.T / len(images)
    eigenvalues_N, weights_NN = torch.linalg.eigh(products_NN)
    first = len(images) - n
    eigenvectors_Dn = torch.nn.functional.normalize(centred_ND.T @ weights_NN[:, first:], dim=0)
    return eigenvalues_N[first:], eigenvectors_Dn, float(products_NN.trace())


@dataclass(frozen=True)
class RateDistortion:
    """Rate and distortion with the exact posterior, means over a split in nats per image, of images of D values."""

    rate_nats: float
    distortion_nats: float
    n_dims: int = DIMENSIONS

    @property
    def bpd(self) -> float:
        """Score in bits per dimension; since the posterior is exact, this is -log p(x) itself, not a bound."""
        return bits_per_dimension(self.distortion_nats, self.rate_nats, self.n_dims)


def n_directions(latent_dim: int, n_images: int, n_dims: int = DIMENSIONS) -> int:
    """Return the number of principal directions that a linear model with this latent dimension can have."""
    return min(latent_dim, n_dims - 1, n_images // IMAGES_PER_DIRECTION)


def score(model: PPCA, images: Tensor, latent_dims: list[int]) -> dict[int, float]:
    """Score uint8 images under the model of each size, in bits per dimension; return {d: score}.

    A model of a size has at most one direction for ten training images, as the linear path: 128 directions of 132
    images score 203 bits.
    """
    return {d: result.bpd for d, result in rate_distortion(model, images, latent_dims).items()}


def rate_distortion(model: PPCA, images: Tensor, latent_dims: list[int]) -> dict[int, RateDistortion]:
    """Compute rate and distortion of uint8 images under the model of each size; return {d: result} as `score` does."""
    squared_projections, squared_norm = model.eigenvectors.new_zeros(model.eigenvectors.shape[1]), 0.0
    directions = model.eigenvectors.float()
    for chunk in _chunks(images):
        centred = chunk - model.mean
        squared_projections += (centred.float() @ directions).double().square().sum(0)
        squared_norm += float(centred.square().sum())
    # Expectations over the dequantization noise.
    mean_squares = squared_projections / len(images) + DEQUANTIZATION_VARIANCE
    mean_squared_norm = squared_norm / len(images) + len(model.mean) * DEQUANTIZATION_VARIANCE
    directions_of = {d: n_directions(d, model.n_images, len(model.mean)) for d in latent_dims}
    results = {
        n: _rate_distortion(model, mean_squares[:n], mean_squared_norm, n) for n in sorted({*directions_of.values()})
    }
    return {d: results[n] for d, n in directions_of.items()}


def _rate_distortion(model: PPCA, mean_squares: Tensor, mean_squared_norm: float, latent_dim: int) -> RateDistortion:
    """Compute rate and distortion for one size d.

    Along an eigenvector of eigenvalue l, the posterior of z is N(m, v) with m = (l - s^2)^(1/2) / l * projection and
    v = s^2 / l (section 3.1), so that

        rate = 1/2 sum(E m^2 + v - 1 - log v)
        distortion = 1/2 (D log(2 pi s^2) + error / s^2)
        error = sum(v^2 E projection^2 + (l - s^2) v) + E |x - mean|^2 - sum(E projection^2)

    Args:
        model: the fit.
        mean_squares: E projection^2 on the first d eigenvectors, (d,).
        mean_squared_norm: E |x - mean|^2.
        latent_dim: d.
    """
    noise = model.noise_variance(latent_dim)
    eigenvalues = model.variances[:latent_dim]
    squared_means, variances = (eigenvalues - noise) / eigenvalues.square() * mean_squares, noise / eigenvalues
    rate = 0.5 * (squared_means + variances - 1 - variances.log()).sum()
    errors = variances.square() * mean_squares + (eigenvalues - noise) * variances
    error = errors.sum() + mean_squared_norm - mean_squares.sum()
    distortion = 0.5 * (len(model.mean) * math.log(2 * math.pi * noise) + error / noise)
    return RateDistortion(float(rate), float(distortion), len(model.mean))


def _chunks(images: Tensor) -> Iterator[Tensor]:
    """Yield the images in parts (n, D), in [0, 1], float64; all at once would take a gigabyte."""
    for chunk in images.split(_CHUNK):
        yield to_unit(chunk.cpu()).flatten(1).double()
