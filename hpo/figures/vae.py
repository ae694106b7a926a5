"""One trained model in pictures: what it reconstructs, samples, interpolates, and what single dimensions do.

Legend: N images, T steps, H W pixels, 3 colour channels; every array of images is uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from hpo.figures.style import Pixels, check_images
from hpo.figures.tiles import Sheet, TileRow, save_sheet

_COLUMNS = 10


@dataclass(frozen=True, eq=False)
class Pairs:
    """Originals (N, H, W, 3), their reconstructions, and what was chosen."""

    heading: str
    originals: Pixels
    reconstructed: Pixels


@dataclass(frozen=True, eq=False)
class Way:
    """Between two real images: the two (2, H, W, 3), the decoded steps (T, H, W, 3), and what they are."""

    label: str
    ends: Pixels
    steps: Pixels


@dataclass(frozen=True, eq=False)
class Traversal:
    """One latent dimension, its KL in nats, and the images (T, H, W, 3) decoded along it."""

    dimension: int
    kl_nats: float
    images: Pixels


def paired_rows(originals: Pixels, reconstructed: Pixels, columns: int) -> list[TileRow]:
    """Rows of at most `columns` originals, each with its reconstructions below it."""
    check_images(originals)
    _check_alike(originals, reconstructed, "reconstructed")
    rows: list[TileRow] = []
    for start in range(0, len(originals), columns):
        chosen = slice(start, start + columns)
        rows.append(TileRow(originals[chosen], "original", starts_group=True))
        rows.append(TileRow(reconstructed[chosen], "reconstruction"))
    return rows


def plain_rows(images: Pixels, columns: int) -> list[TileRow]:
    """Rows of at most `columns` images, without labels."""
    check_images(images)
    return [TileRow(images[start : start + columns]) for start in range(0, len(images), columns)]


def mse_per_image(originals: Pixels, reconstructed: Pixels) -> list[float]:
    """Mean squared error of each image as shown, pixels in [0, 1], length N."""
    difference = (originals.astype(np.float64) - reconstructed) / 255
    return [float(one) for one in np.square(difference).mean(axis=(1, 2, 3))]


def reconstruction_sheet(groups: Sequence[Pairs], mean_mse: float) -> Sheet:
    """Each group's originals above their reconstructions, the error of each below it.

    `mean_mse` is the split's, pixels in [0, 1].
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


def reconstructions(groups: Sequence[Pairs], mean_mse: float, path: Path) -> None:
    """Draw `reconstruction_sheet`."""
    save_sheet(reconstruction_sheet(groups, mean_mse), path)


def sample_sheet(prior: Pixels, mixture: Pixels, n_components: int) -> Sheet:
    """Images decoded from the prior (N, H, W, 3), and beside them as many from the mixture, in rows of 8 and 8."""
    check_images(prior)
    _check_alike(prior, mixture, "mixture")
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


def prior_samples(prior: Pixels, mixture: Pixels, n_components: int, path: Path) -> None:
    """Draw `sample_sheet`."""
    save_sheet(sample_sheet(prior, mixture, n_components), path)


def interpolation_sheet(real: Sequence[Way], prior: Sequence[Pixels]) -> Sheet:
    """Rows between real images, which stand apart at both ends; below, rows (T, H, W, 3) between prior draws."""
    n_steps = len(real[0].steps)
    breaks = (1, n_steps + 1)
    steps = tuple(str(Fraction(index, n_steps - 1)) for index in range(n_steps))
    rows = [TileRow(np.concatenate([way.ends[:1], way.steps, way.ends[1:]]), way.label, breaks=breaks) for way in real]
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


def interpolations(real: Sequence[Way], prior: Sequence[Pixels], path: Path) -> None:
    """Draw `interpolation_sheet`."""
    save_sheet(interpolation_sheet(real, prior), path)


def traversal_sheet(original: Pixels, offsets: Sequence[float], traversals: Sequence[Traversal]) -> Sheet:
    """The real image (1, H, W, 3) once; below, a row for each dimension, a column for each offset (prior sd)."""
    columns = tuple("0" if offset == 0 else f"{offset:+g}".replace("-", "−") for offset in offsets)
    rows = [
        TileRow(one.images, f"z{one.dimension} · KL {one.kl_nats:.1f} nats", starts_group=index == 0)
        for index, one in enumerate(traversals)
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


def traversals(original: Pixels, offsets: Sequence[float], rows: Sequence[Traversal], path: Path) -> None:
    """Draw `traversal_sheet`."""
    save_sheet(traversal_sheet(original, offsets, rows), path)


def _check_alike(first: Pixels, second: Pixels, name: str) -> None:
    if first.shape != second.shape or second.dtype != first.dtype:
        raise ValueError(
            f"{name} must be uint8 {first.shape} like the originals, but got {second.dtype} {second.shape}"
        )
