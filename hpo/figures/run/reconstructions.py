"""Figure of validation images and their reconstructions.

Legend: N images, H W pixels, 3 colour channels; every array of images is uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.figures.arrays import Pixels
from hpo.figures.tile_rows import mse_per_image, paired_rows
from hpo.figures.tile_sheet import Sheet, TileRow, save_sheet

_COLUMNS = 10


@dataclass(frozen=True, eq=False)
class ReconstructionGroup:
    """Originals (N, H, W, 3), their reconstructions, and the heading that says how they were chosen."""

    heading: str
    originals: Pixels
    reconstructed: Pixels


def reconstructions_data(groups: Sequence[ReconstructionGroup], mean_mse: float) -> Sheet:
    """Arrange each group's originals above their reconstructions, with the error of each below it.

    `mean_mse`: mean squared error over the whole split, pixels in [0, 1].
    """
    rows: list[TileRow] = []
    for group in groups:
        errors = mse_per_image(group.originals, group.reconstructed)
        pairs = paired_rows(group.originals, group.reconstructed, _COLUMNS)
        pairs[0] = replace(pairs[0], headings=((0, group.heading),))
        for index in range(1, len(pairs), 2):
            start = index // 2 * _COLUMNS
            below = tuple(f"{error:.4f}" for error in errors[start : start + _COLUMNS])
            pairs[index] = replace(pairs[index], below=below)
        rows += pairs
    return Sheet(
        tuple(rows),
        f"Validation images and their reconstructions: mean squared error {mean_mse:.4f} on average",
        "Reconstructed through z drawn from the posterior, as the score counts it. Below: the mean squared error of "
        "each, pixels in [0, 1]. Smooth pictures come out best; texture and strong contrast cost most.",
        scale=4,
    )


def draw_reconstructions(groups: Sequence[ReconstructionGroup], mean_mse: float, path: Path) -> None:
    """Draw `reconstructions_data` into a picture file."""
    save_sheet(reconstructions_data(groups, mean_mse), path)
