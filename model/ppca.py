"""The yardstick: exact probabilistic PCA, scored in the same bits per dimension as the VAE.

Tipping & Bishop 1999. N images, D dimensions, d latent dimensions.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from model.data import to_unit
from model.elbo import DEQUANTIZATION_VARIANCE, bits_per_dimension

_CHUNK = 2500


@dataclass(frozen=True)
class PPCA:
    """Maximum-likelihood parameters for every d at once: mean (D,), eigenvalues (D,) descending, vectors (D, D)."""

    mean: Tensor
    eigenvalues: Tensor
    eigenvectors: Tensor
    n_images: int

    def noise_variance(self, latent_dim: int) -> float:
        """Mean of the discarded eigenvalues (equation 8), the dequantization noise included."""
        return float(self.eigenvalues[latent_dim:].mean()) + DEQUANTIZATION_VARIANCE


def fit(images: Tensor) -> PPCA:
    """Fit to uint8 images (N, 3, 32, 32), as points in [0, 1]^D."""
    mean = torch.stack([chunk.sum(0) for chunk in _chunks(images)]).sum(0) / len(images)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for chunk in _chunks(images):
        centred = (chunk - mean).float()
        covariance += (centred.T @ centred).double()
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance / len(images))
    return PPCA(mean, eigenvalues.flip(0).clamp(min=0), eigenvectors.flip(1), len(images))


def score(model: PPCA, images: Tensor, latent_dims: list[int]) -> dict[int, float]:
    """Bits per dimension of uint8 images under the model of each size.

    A size that the training images cannot determine (d >= min(N, D)) is left out.
    """
    squares = torch.zeros(len(model.mean), dtype=torch.float64)
    directions = model.eigenvectors.float()
    for chunk in _chunks(images):
        squares += ((chunk - model.mean).float() @ directions).double().square().sum(0)
    # E over the dequantization noise of the squared projection.
    mean_squares = squares / len(images) + DEQUANTIZATION_VARIANCE
    determined = [d for d in latent_dims if d < min(model.n_images, len(model.mean))]
    return {d: bits_per_dimension(_negative_log_likelihood(model, mean_squares, d), 0.0) for d in determined}


def _negative_log_likelihood(model: PPCA, mean_squares: Tensor, latent_dim: int) -> float:
    """-E log N(x; mean, W W' + noise I), in nats; the mean squared projections on the eigenvectors suffice."""
    noise = model.noise_variance(latent_dim)
    variances = model.eigenvalues + DEQUANTIZATION_VARIANCE
    variances = torch.where(torch.arange(len(variances)) < latent_dim, variances, noise)
    return 0.5 * float((math.log(2 * math.pi) + variances.log() + mean_squares / variances).sum())


def _chunks(images: Tensor) -> Iterator[Tensor]:
    """The images in parts, flat and in [0, 1], float64: all at once would take a gigabyte."""
    for chunk in images.split(_CHUNK):
        yield to_unit(chunk.cpu()).flatten(1).double()
