"""Objective as pure functions: distortion, rate, importance-weighted bound; `definitions` converts them to the score.

Pixels are k/255 with k in 0..255. The decoder is p(x|z) = N(x; decode(z), sigma^2 I) with one scalar sigma
(optimal-sigma VAE: Rybkin, Daniilidis & Levine 2021). Values are in nats per image unless a name gives another unit.

B batch, D dimensions of an image, K importance samples, Z latent.
"""

import math

import torch
from torch import Tensor

from model.config import DIMENSIONS

# Variance of the uniform noise that spreads each of the 256 levels over its bin, so that pixels have a density.
DEQUANTIZATION_VARIANCE = 1 / (12 * 255**2)


def rate_per_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Compute KL(q(z|x) || N(0, I)) of each latent dimension, in nats, shape (B, Z).

        1/2 (mean^2 + exp(log_variance) - 1 - log_variance)

    Closed form: Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def squared_error(images: Tensor, reconstructions: Tensor) -> Tensor:
    """Sum the squared pixel differences of each image, shape (B,)."""
    return (images - reconstructions).square().flatten(1).sum(1)


def optimal_sigma(mse: float) -> float:
    """Compute the sigma that maximises the likelihood: sigma^2 = mean squared error (Rybkin et al. 2021).

    sigma^2 is at least the dequantization noise's variance, so that a perfect reconstruction has a finite score.
    """
    return math.sqrt(max(mse, DEQUANTIZATION_VARIANCE))


def optimal_distortion_loss(squared_errors: Tensor, n_dims: int = DIMENSIONS) -> Tensor:
    """Compute D/2 log(MSE of the batch), a scalar in nats per image, from squared errors (B,).

    This is the distortion at its optimal sigma without the constants.
    """
    mse = squared_errors.mean() / n_dims
    return n_dims / 2 * torch.log(mse.clamp(min=DEQUANTIZATION_VARIANCE))


def gaussian_distortion(squared_errors: Tensor, sigma: float, n_dims: int = DIMENSIONS) -> Tensor:
    """Compute -E log N(x + u; decode(z), sigma^2 I) in nats, u the dequantization noise; shape as `squared_errors`.

    D/2 log(2 pi sigma^2) + (squared_error + D var(u)) / (2 sigma^2)
    """
    expected_errors = squared_errors + n_dims * DEQUANTIZATION_VARIANCE
    return n_dims / 2 * math.log(2 * math.pi * sigma**2) + expected_errors / (2 * sigma**2)


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """Compute log(1/K sum_k w_k) for each image, shape (B,), from log weights (K, B).

    In expectation at least the ELBO and at most log p(x). Burda, Grosse & Salakhutdinov 2016, equation 8; summed in log
    space.
    """
    return torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0])


def log_normal(values: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Compute log N(values; mean, exp(log_variance)), summed over the last dimension."""
    terms = math.log(2 * math.pi) + log_variance + (values - mean).square() * torch.exp(-log_variance)
    return -0.5 * terms.sum(-1)
