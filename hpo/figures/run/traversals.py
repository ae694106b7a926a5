"""Figure of traversals: one latent dimension at a time moved along its axis.

Legend: T steps, D dimensions chosen, H W pixels, 3 colour channels, Z latent; every array of images is uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo.figures.arrays import Floats, Pixels
from hpo.figures.tile_sheet import Sheet, TileRow, save_sheet

# In standard deviations of the prior.
OFFSETS = np.linspace(-3, 3, 7)


@dataclass(frozen=True, eq=False)
class Traversal:
    """Traversal of one latent dimension, its KL in nats, and the images (T, H, W, 3) decoded along it."""

    dimension: int
    kl_nats: float
    images: Pixels


def traverse(mean_Z: Floats, dimensions: NDArray[np.intp], offsets: Floats) -> Floats:
    """Move one dimension of a code at a time by each offset: (D, T, Z); prior standard deviations are 1."""
    latents = np.tile(mean_Z, (len(dimensions), len(offsets), 1))
    for row, dimension in enumerate(dimensions):
        latents[row, :, dimension] += offsets
    return latents


def traversals_data(original: Pixels, offsets: Sequence[float], traversals: Sequence[Traversal]) -> Sheet:
    """Arrange the real image (1, H, W, 3), then a row per dimension and a column per offset (prior std. deviations)."""
    columns = tuple("0" if offset == 0 else f"{offset:+g}".replace("-", "−") for offset in offsets)
    rows = [
        TileRow(
            traversal.images,
            f"z{traversal.dimension} · KL {traversal.kl_nats:.1f} nats",
            starts_group=index == 0,
        )
        for index, traversal in enumerate(traversals)
    ]
    heading = "Its reconstruction, one dimension moved by … prior standard deviations"
    rows[0] = replace(rows[0], headings=((0, heading),), above=columns)
    middle = len(offsets) // 2
    return Sheet(
        (TileRow(original, "original", first_column=middle), *rows),
        f"Traversals: what the {len(traversals)} dimensions of highest KL do to one image",
        "Column 0 is the same reconstruction in every row. Look for what a row changes (brightness, colour, layout) "
        "and what it leaves alone.",
        scale=4,
    )


def draw_traversals(original: Pixels, offsets: Sequence[float], rows: Sequence[Traversal], path: Path) -> None:
    """Draw `traversals_data` into a picture file."""
    save_sheet(traversals_data(original, offsets, rows), path)
