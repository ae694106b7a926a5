"""Interpolations, traversals and mixture samples in the latent space, as arrays; the same at every call.

Legend: N images, T steps, D dimensions chosen, Z latent.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from hpo.figures.arrays import Floats

N_COMPONENTS = 10
_MIXTURE_SEED = 5
# Keeps the covariance invertible if dimensions are unused or images few; a tenth of the scale of unused units.
_LEAST_VARIANCE = 1e-4
# For two directions closer than this, in radians, the plane between them would be decided by rounding.
_PARALLEL = 1e-9


def fit_mixture(means_NZ: Floats, n_components: int = N_COMPONENTS) -> GaussianMixture:
    """Fit a mixture of Gaussians to posterior means (Ghosh et al. 2020: ex-post density estimation).

    One covariance shared by all components ("tied"): posterior means are correlated, so diagonal ones fit worse than
    a single Gaussian, and ten full ones have too many parameters for 512 dimensions. Measured at 128 dimensions on
    4,500 images, in nats on 500 others: tied -61.7, one full Gaussian -62.7, ten full -64.8, ten diagonal -176.3.
    """
    mixture = GaussianMixture(
        min(n_components, len(means_NZ)),
        covariance_type="tied",
        reg_covar=_LEAST_VARIANCE,
        max_iter=200,
        random_state=_MIXTURE_SEED,
    )
    return mixture.fit(means_NZ)


def mixture_samples(mixture: GaussianMixture, n_samples: int) -> Floats:
    """Draw samples (N, Z), shuffled: scikit-learn returns them component by component."""
    drawn, _ = mixture.sample(n_samples)
    shuffled: Floats = np.random.default_rng(_MIXTURE_SEED).permutation(drawn)
    return shuffled


def linear_interpolation(start_Z: Floats, end_Z: Floats, n_steps: int) -> Floats:
    """Return evenly spaced points (T, Z) of the straight line, both ends exact."""
    t = np.linspace(0, 1, n_steps)[:, None]
    return (1 - t) * start_Z + t * end_Z


def spherical_interpolation(start_Z: Floats, end_Z: Floats, n_steps: int) -> Floats:
    """Return points (T, Z) whose direction turns at constant speed and whose norm changes linearly.

    With unit vectors u, v of the ends and the angle ω between them, the direction at t in [0, 1] is
    cos(tω) u + sin(tω) w, where w is the unit vector orthogonal to u in the plane of u and v. For vectors of equal
    norm this is Shoemake's slerp (1985). Opposite directions: w lies closest to the axis that is most orthogonal to u.
    Raises: ValueError: one of them is the zero vector, which has no direction.
    """
    # Not scipy.spatial.geometric_slerp: it refuses vectors of one dimension and warns about opposite ones, and in a
    # latent space of one dimension every second pair is opposite.
    norms = (float(np.linalg.norm(start_Z)), float(np.linalg.norm(end_Z)))
    if min(norms) == 0:
        raise ValueError(f"start and end must not be zero, but got norms {norms}")
    start, end = start_Z / norms[0], end_Z / norms[1]
    cosine = float(start @ end)
    orthogonal = _orthogonal_part(end, start)
    sine = float(np.linalg.norm(orthogonal))
    if sine < _PARALLEL:
        orthogonal = np.zeros_like(orthogonal) if cosine > 0 else _any_orthogonal(start)
    orthogonal = orthogonal / max(float(np.linalg.norm(orthogonal)), _PARALLEL)
    t = np.linspace(0, 1, n_steps)[:, None]
    angle = float(np.arctan2(sine, cosine))
    directions = np.cos(t * angle) * start + np.sin(t * angle) * orthogonal
    return ((1 - t) * norms[0] + t * norms[1]) * directions


def traverse(mean_Z: Floats, dimensions: NDArray[np.intp], offsets: Floats) -> Floats:
    """Move one dimension of a code at a time by each offset: (D, T, Z); prior standard deviations are 1."""
    latents = np.tile(mean_Z, (len(dimensions), len(offsets), 1))
    for row, dimension in enumerate(dimensions):
        latents[row, :, dimension] += offsets
    return latents


def _orthogonal_part(vector_Z: Floats, unit_Z: Floats) -> Floats:
    """Return the component of a vector that is orthogonal to a unit vector."""
    return vector_Z - (vector_Z @ unit_Z) * unit_Z


def _any_orthogonal(unit_Z: Floats) -> Floats:
    """Return a vector orthogonal to a unit vector, not normalised: the axis on which it is smallest, projected."""
    axis = np.zeros_like(unit_Z)
    axis[int(np.abs(unit_Z).argmin())] = 1.0
    return _orthogonal_part(axis, unit_Z)
