"""Figure of samples: decoded prior draws beside draws of a mixture fitted to the codes.

Legend: N images, H W pixels, 3 colour channels; every array of images is uint8.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hpo.figures.arrays import Pixels, check_images, check_same_shape
from hpo.figures.tile_sheet import Sheet, TileRow, save_sheet


def samples_data(prior: Pixels, mixture: Pixels, n_components: int) -> Sheet:
    """Arrange images decoded from the prior (N, H, W, 3) beside as many from the mixture, 8 of each in a row."""
    check_images(prior)
    check_same_shape(prior, mixture, "mixture")
    rows = []
    for start in range(0, len(prior), 8):
        left, right = prior[start : start + 8], mixture[start : start + 8]
        rows.append(TileRow(np.concatenate([left, right]), breaks=(len(left),)))
    gaussians = f"{n_components} Gaussian{'s' if n_components != 1 else ''}"
    sides = ((0, "z from the prior N(0, I)"), (min(8, len(prior)), f"z from {gaussians} fitted to the encodings"))
    rows[0] = replace(rows[0], headings=sides)
    return Sheet(
        tuple(rows),
        "Samples: the prior beside a mixture fitted to the encodings of training images",
        "The same decoder. The more natural the right side looks than the left, the more the prior draws where no "
        "image is encoded.",
        scale=3,
    )


def draw_samples(prior: Pixels, mixture: Pixels, n_components: int, path: Path) -> None:
    """Draw `samples_data` into a picture file."""
    save_sheet(samples_data(prior, mixture, n_components), path)
