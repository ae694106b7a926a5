"""Figure of interpolations between real images and between prior draws, and their points in the latent space.

Legend: T steps, H W pixels, 3 colour channels, Z latent; every array of images is uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from hpo.figures.arrays import Floats, Pixels
from hpo.figures.tile_sheet import Sheet, TileRow, save_sheet

N_STEPS = 9
# For two directions closer than this, in radians, the plane between them would be decided by rounding.
_PARALLEL = 1e-9


@dataclass(frozen=True, eq=False)
class Interpolation:
    """Interpolation between two real images: the images (2, H, W, 3), the decoded steps (T, H, W, 3), and a label."""

    label: str
    ends: Pixels
    steps: Pixels


def linear_interpolation(start_Z: Floats, end_Z: Floats, n_steps: int = N_STEPS) -> Floats:
    """Return evenly spaced points (T, Z) of the straight line, both ends exact."""
    t = np.linspace(0, 1, n_steps)[:, None]
    return (1 - t) * start_Z + t * end_Z


def spherical_interpolation(start_Z: Floats, end_Z: Floats, n_steps: int = N_STEPS) -> Floats:
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


def interpolations_data(real: Sequence[Interpolation], prior: Sequence[Pixels]) -> Sheet:
    """Arrange rows between real images, which stand at both ends; below, rows (T, H, W, 3) between prior draws."""
    n_steps = len(real[0].steps)
    breaks = (1, n_steps + 1)
    steps = tuple(str(Fraction(index, n_steps - 1)) for index in range(n_steps))
    rows = [
        TileRow(np.concatenate([pair.ends[:1], pair.steps, pair.ends[1:]]), pair.label, breaks=breaks) for pair in real
    ]
    rows[0] = replace(
        rows[0],
        headings=((0, "Linear, between the encodings of two real images (0 and 1: their reconstructions)"),),
        above=("original", *steps, "original"),
    )
    draws = [TileRow(images, first_column=1, breaks=breaks) for images in prior]
    draws[0] = replace(
        draws[0], starts_group=True, headings=((1, "Spherical, between two draws of the prior"),), above=steps
    )
    return Sheet(
        (*rows, *draws),
        "Interpolations: decoded steps between two images, and between two draws of the prior",
        "Look for steps that are pictures of their own, not two laid over each other. Draws of the prior lie near a "
        "sphere: a straight line between two would pass nearer to the origin than draws do.",
        scale=4,
    )


def draw_interpolations(real: Sequence[Interpolation], prior: Sequence[Pixels], path: Path) -> None:
    """Draw `interpolations_data` into a picture file."""
    save_sheet(interpolations_data(real, prior), path)


def _orthogonal_part(vector_Z: Floats, unit_Z: Floats) -> Floats:
    """Return the component of a vector that is orthogonal to a unit vector."""
    return vector_Z - (vector_Z @ unit_Z) * unit_Z


def _any_orthogonal(unit_Z: Floats) -> Floats:
    """Return a vector orthogonal to a unit vector, not normalised: the axis on which it is smallest, projected."""
    axis = np.zeros_like(unit_Z)
    axis[int(np.abs(unit_Z).argmin())] = 1.0
    return _orthogonal_part(axis, unit_Z)
