"""The yardstick: exact probabilistic PCA, scored in the same bits per dimension as the VAE.

Tipping & Bishop 1999. N images, D dimensions, d latent dimensions.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from model.data.images import to_unit
from model.scoring.elbo import DEQUANTIZATION_VARIANCE, bits_per_dimension

_CHUNK = 2500


@dataclass(frozen=True)
class PPCA:
    """Maximum-likelihood parameters for every d at once: mean (D,), eigenvalues (D,) descending, and the eigenvectors
    that the images can have, (D, min(N, D)).
    """

    mean: Tensor
    eigenvalues: Tensor
    eigenvectors: Tensor
    n_images: int

    @property
    def variances(self) -> Tensor:
        """Along each direction, (D,), the dequantization noise included."""
        return self.eigenvalues + DEQUANTIZATION_VARIANCE

    def noise_variance(self, latent_dim: int) -> float:
        """Mean of the discarded eigenvalues (equation 8), the dequantization noise included."""
        return float(self.eigenvalues[latent_dim:].mean()) + DEQUANTIZATION_VARIANCE


# Seconds of work, which every trial with a linear path asks for again.
@lru_cache(maxsize=1)
def fit(images: Tensor) -> PPCA:
    """Fit to uint8 images (N, 3, 32, 32), as points in [0, 1]^D. The last fit is kept for the very same tensor."""
    mean = torch.stack([chunk.sum(0) for chunk in _chunks(images)]).sum(0) / len(images)
    decompose = _by_images if len(images) < len(mean) else _by_dimensions
    eigenvalues, eigenvectors = decompose(images, mean)
    return PPCA(mean, eigenvalues.flip(0).clamp(min=0), eigenvectors.flip(1), len(images))


def _by_dimensions(images: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (D,) of the images' covariance, ascending, and eigenvectors (D, D)."""
    covariance_DD = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for chunk in _chunks(images):
        centred = (chunk - mean).float()
        covariance_DD += (centred.T @ centred).double()
    eigenvalues_D, eigenvectors_DD = torch.linalg.eigh(covariance_DD / len(images))
    return eigenvalues_D, eigenvectors_DD


def _by_images(images: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """The same where N < D, eigenvectors (D, N), from the images' inner products: these have all eigenvalues but zeros.

    Directions along which the images do not vary are arbitrary, not orthogonal: nothing depends on them.
    """
    centred_ND = torch.cat(list(_chunks(images))) - mean
    eigenvalues_N, weights_NN = torch.linalg.eigh(centred_ND @ centred_ND.T / len(images))
    zeros = torch.zeros(len(mean) - len(images), dtype=torch.float64)
    return torch.cat([zeros, eigenvalues_N]), torch.nn.functional.normalize(centred_ND.T @ weights_NN, dim=0)


@dataclass(frozen=True)
class RateDistortion:
    """Means over a split, in nats per image: what the exact posterior says beyond the prior, and what it leaves."""

    rate_nats: float
    distortion_nats: float

    @property
    def bpd(self) -> float:
        """Their sum as a score; the posterior is exact, so that this is -log p(x) itself."""
        return bits_per_dimension(self.distortion_nats, self.rate_nats)


def score(model: PPCA, images: Tensor, latent_dims: list[int]) -> dict[int, float]:
    """Bits per dimension of uint8 images under the model of each size.

    A size that the training images cannot determine (d >= min(N, D)) is left out.
    """
    return {d: one.bpd for d, one in rate_distortion(model, images, latent_dims).items()}


def rate_distortion(model: PPCA, images: Tensor, latent_dims: list[int]) -> dict[int, RateDistortion]:
    """Rate and distortion of uint8 images under the model of each size; sizes not determined are left out."""
    squares, lengths = torch.zeros(model.eigenvectors.shape[1], dtype=torch.float64), 0.0
    directions = model.eigenvectors.float()
    for chunk in _chunks(images):
        centred = chunk - model.mean
        squares += (centred.float() @ directions).double().square().sum(0)
        lengths += float(centred.square().sum())
    # E over the dequantization noise.
    mean_squares = squares / len(images) + DEQUANTIZATION_VARIANCE
    mean_length = lengths / len(images) + len(model.mean) * DEQUANTIZATION_VARIANCE
    determined = [d for d in latent_dims if d < min(model.n_images, len(model.mean))]
    return {d: _rate_distortion(model, mean_squares[:d], mean_length, d) for d in determined}


def _rate_distortion(model: PPCA, explained: Tensor, mean_length: float, latent_dim: int) -> RateDistortion:
    """Of one size, from the mean squared projections on the first eigenvectors, shape (d,), and the mean squared
    distance from the mean.

    Along an eigenvector of eigenvalue l the posterior of z is N((l - noise)^(1/2) / l * projection, noise / l)
    (section 3.1).
    """
    noise = model.noise_variance(latent_dim)
    eigenvalues = model.variances[:latent_dim]
    squared_means, variances = (eigenvalues - noise) / eigenvalues.square() * explained, noise / eigenvalues
    rate = 0.5 * (squared_means + variances - 1 - variances.log()).sum()
    errors = variances.square() * explained + (eigenvalues - noise) * variances
    error = errors.sum() + mean_length - explained.sum()
    distortion = 0.5 * (len(model.mean) * math.log(2 * math.pi * noise) + error / noise)
    return RateDistortion(float(rate), float(distortion))


def _chunks(images: Tensor) -> Iterator[Tensor]:
    """The images in parts, flat and in [0, 1], float64: all at once would take a gigabyte."""
    for chunk in images.split(_CHUNK):
        yield to_unit(chunk.cpu()).flatten(1).double()
