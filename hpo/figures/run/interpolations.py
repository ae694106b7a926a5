"""Figure of interpolations between real images and between prior draws.

Legend: T steps, H W pixels, 3 colour channels; every array of images is uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from hpo.figures.arrays import Pixels
from hpo.figures.tile_sheet import Sheet, TileRow, save_sheet


@dataclass(frozen=True, eq=False)
class Interpolation:
    """Interpolation between two real images: the images (2, H, W, 3), the decoded steps (T, H, W, 3), and a label."""

    label: str
    ends: Pixels
    steps: Pixels


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
