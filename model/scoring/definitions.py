"""Definitions of the score and of active units. It imports no torch, so that figures and pages can use them."""

import math

from model.config import DIMENSIONS

# Burda et al. 2016: a unit whose posterior mean varies less than this over the images is unused.
ACTIVE_VARIANCE = 0.01


def bits(nats: float) -> float:
    """Convert information from nats to bits."""
    return nats / math.log(2)


def bits_per_dimension(distortion_nats: float, rate_nats: float, n_dims: int = DIMENSIONS) -> float:
    """Convert to the score: the negative ELBO (beta = 1) of the 8-bit image in bits per dimension. Lower is better.

    (distortion + rate) / (D log 2) + log2(255), D = n_dims values of an image
    """
    return (distortion_nats + rate_nats) / (n_dims * math.log(2)) + math.log2(255)


def nats_at_score(bpd: float, n_dims: int = DIMENSIONS) -> float:
    """Return the sum of rate and distortion at this score, in nats: the inverse of `bits_per_dimension`."""
    return (bpd - math.log2(255)) * n_dims * math.log(2)
