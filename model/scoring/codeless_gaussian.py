"""A Gaussian without a code: what a cleverer noise alone explains, in the same bits per dimension as the VAE.

An image is its mean over the training images plus noise that is independent between the frequencies of the discrete
cosine transform, with a covariance of the colours at each frequency. It stores nothing about an image; it knows
how strongly neighbouring pixels resemble each other on average.

N images, C colours, H W pixels; F = H W frequencies.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from model.data.images import to_unit
from model.scoring.definitions import bits_per_dimension
from model.scoring.elbo import DEQUANTIZATION_VARIANCE

# Each frequency has at most three directions, one for each colour: ten images for each, as for `model.scoring.ppca`.
MIN_IMAGES = 30
_CHUNK = 2500


@dataclass(frozen=True)
class CodelessGaussian:
    """Maximum-likelihood parameters: mean coefficients (C, F) and their covariance at each frequency (F, C, C)."""

    mean: Tensor
    covariance: Tensor


# Cached: both splits are scored by one fit, which takes seconds.
@lru_cache(maxsize=1)
def fit(images: Tensor) -> CodelessGaussian:
    """Fit to uint8 images (N, C, H, W), H = W, as points in [0, 1]^D, with the dequantization noise's variance."""
    mean_CF = torch.stack([chunk.sum(0) for chunk in _coefficients(images)]).sum(0) / len(images)
    return CodelessGaussian(mean_CF, _noisy(_scatter(images, mean_CF)))


def score(model: CodelessGaussian, images: Tensor) -> float:
    """Score uint8 images (N, C, H, W) in bits per dimension.

    The transform is orthonormal, so that densities of coefficients are densities of pixels.
    """
    nats = gaussian_nats(model.covariance, _noisy(_scatter(images, model.mean)))
    return bits_per_dimension(nats, 0.0, model.mean.numel())


def gaussian_nats(covariance_FCC: Tensor, moments_FCC: Tensor) -> float:
    """Compute the mean of -log p of coefficients that are independent between frequencies, in nats per image:

    1/2 sum_f (log det(2 pi C_f) + tr(C_f^-1 S_f)),  S_f their second moments about the mean
    """
    log_determinants_F = torch.linalg.slogdet(2 * math.pi * covariance_FCC).logabsdet
    traces_F = torch.linalg.solve(covariance_FCC, moments_FCC).diagonal(dim1=1, dim2=2).sum(1)
    return float((log_determinants_F + traces_F).sum()) / 2


def cosine_transform(size: int) -> Tensor:
    """Return the orthonormal matrix (size, size) of the discrete cosine transform (Ahmed, Natarajan & Rao 1974)."""
    frequency, pixel = torch.arange(size, dtype=torch.float64)[:, None], torch.arange(size, dtype=torch.float64)
    matrix = math.sqrt(2 / size) * torch.cos(math.pi / size * (pixel + 0.5) * frequency)
    matrix[0] /= math.sqrt(2)
    return matrix


def _scatter(images: Tensor, mean_CF: Tensor) -> Tensor:
    """Compute the coefficients' mean products between colours at each frequency, about this mean, (F, C, C)."""
    total = torch.zeros(mean_CF.shape[1], len(mean_CF), len(mean_CF), dtype=torch.float64)
    for chunk in _coefficients(images):
        centred_NCF = chunk - mean_CF
        total += torch.einsum("ncf,ndf->fcd", centred_NCF, centred_NCF)
    return total / len(images)


def _noisy(covariance_FCC: Tensor) -> Tensor:
    """Add the dequantization noise's variance."""
    return covariance_FCC + DEQUANTIZATION_VARIANCE * torch.eye(covariance_FCC.shape[1], dtype=torch.float64)


def _coefficients(images: Tensor) -> Iterator[Tensor]:
    """Yield the images' coefficients, (n, C, F) in float64, in chunks."""
    transform = cosine_transform(images.shape[2])
    for chunk in images.split(_CHUNK):
        yield (transform @ to_unit(chunk.cpu()).double() @ transform.T).flatten(2)
