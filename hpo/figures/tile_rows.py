"""Rows of image tiles that several pictures share.

Legend: N images, H W pixels of one image, 3 colour channels; every array of images is uint8.
"""

from __future__ import annotations

import numpy as np

from hpo.figures.arrays import Pixels, check_images, check_same_shape
from hpo.figures.tile_sheet import TileRow


def paired_rows(originals: Pixels, reconstructed: Pixels, columns: int) -> list[TileRow]:
    """Return rows of at most `columns` originals, each with its reconstructions below it."""
    check_images(originals)
    check_same_shape(originals, reconstructed, "reconstructed")
    rows: list[TileRow] = []
    for start in range(0, len(originals), columns):
        chosen = slice(start, start + columns)
        rows.append(TileRow(originals[chosen], "original", starts_group=True))
        rows.append(TileRow(reconstructed[chosen], "reconstruction"))
    return rows


def plain_rows(images: Pixels, columns: int) -> list[TileRow]:
    """Return rows of at most `columns` images, without labels."""
    check_images(images)
    return [TileRow(images[start : start + columns]) for start in range(0, len(images), columns)]


def mse_per_image(originals: Pixels, reconstructed: Pixels) -> list[float]:
    """Compute the mean squared error of each image as shown, pixels in [0, 1], length N."""
    difference = (originals.astype(np.float64) - reconstructed) / 255
    return [float(error) for error in np.square(difference).mean(axis=(1, 2, 3))]
