"""The objective as pure functions: distortion, rate, bits per dimension, importance-weighted bound.

Pixels are k/255 with k in 0..255. The decoder is p(x|z) = N(x; decode(z), sigma^2 I) with one scalar sigma
(optimal-sigma VAE: Rybkin, Daniilidis & Levine 2021). Nats per image unless a name says otherwise.

B batch, D dimensions of an image, K importance samples, Z latent.
"""

import math

import torch
from torch import Tensor

from model.config import DIMENSIONS

# Variance of the uniform noise that spreads each of the 256 levels over its bin: the discrete bound's price.
DEQUANTIZATION_VARIANCE = 1 / (12 * 255**2)


def rate_per_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z|x) || N(0, I)) of each latent dimension, in nats, shape (B, Z).

    Closed form: Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def squared_error(images: Tensor, reconstructions: Tensor) -> Tensor:
    """Sum of squared pixel differences of each image, shape (B,)."""
    return (images - reconstructions).square().flatten(1).sum(1)


def optimal_sigma(mse: float) -> float:
    """The sigma that maximises the likelihood: sigma^2 = mean squared error (Rybkin et al. 2021).

    Never below the dequantization noise, so that a perfect reconstruction still has a finite score.
    """
    return math.sqrt(max(mse, DEQUANTIZATION_VARIANCE))


def optimal_distortion_loss(squared_errors: Tensor) -> Tensor:
    """D/2 log(MSE of the batch), a scalar in nats per image: the distortion at its optimal sigma, constants dropped.

    `squared_errors` has shape (B,).
    """
    mse = squared_errors.mean() / DIMENSIONS
    return DIMENSIONS / 2 * torch.log(mse.clamp(min=DEQUANTIZATION_VARIANCE))


def gaussian_distortion(squared_errors: Tensor, sigma: float) -> Tensor:
    """-E log N(x + u; decode(z), sigma^2 I) in nats, u the dequantization noise; shape as `squared_errors`."""
    spread = squared_errors + DIMENSIONS * DEQUANTIZATION_VARIANCE
    return DIMENSIONS / 2 * math.log(2 * math.pi * sigma**2) + spread / (2 * sigma**2)


def bits_per_dimension(distortion_nats: float, rate_nats: float) -> float:
    """The negative ELBO at beta = 1 of the 8-bit image, in bits per dimension. Lower is better."""
    return (distortion_nats + rate_nats) / (DIMENSIONS * math.log(2)) + math.log2(255)


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """log 1/K sum_k w_k for each image, shape (B,) from (K, B): at least the ELBO, at most log p(x).

    Burda, Grosse & Salakhutdinov 2016, equation 8; summed in log space.
    """
    return torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0])


def log_normal(values: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(values; mean, exp(log_variance)) summed over the last dimension."""
    terms = math.log(2 * math.pi) + log_variance + (values - mean).square() * torch.exp(-log_variance)
    return -0.5 * terms.sum(-1)
