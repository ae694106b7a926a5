"""Maps between the convolutions and the latent vector: what the encoder reads it from, and the decoder writes it to.

This module imports no torch, so that a study file with too many convolutions is reported at once.

C channels, H W pixels.
"""

import math
from collections.abc import Sequence

from model.config import IMAGE_SHAPE, Architecture

IMAGE_CHANNELS, IMAGE_SIZE, _ = IMAGE_SHAPE
# Convolutions of stride 2 after which one pixel is left of an image of 28 or 32 pixels.
MAX_STAGES = 5
# Convolutions beside the linear skip of the architecture `linear_skip`.
N_BESIDE = 2

Shape = tuple[int, int, int]


def margin_of(image_size: int, n_stages: int) -> int:
    """Return the fewest pixels by which the side of an image grows to be halved `n_stages` times without a rest."""
    return -image_size % (1 << n_stages)


def map_shapes(
    channels: tuple[int, ...], architecture: Architecture, image_size: int = IMAGE_SIZE
) -> tuple[Shape, ...]:
    """Return the shapes (C, H, W): of the last map; for `linear_skip` first of the map that its linear skip reaches."""
    side = image_size + margin_of(image_size, len(channels))
    depths = sorted({N_BESIDE, len(channels)}) if architecture == "linear_skip" else [len(channels)]
    return tuple((channels[depth - 1], side // 2**depth, side // 2**depth) for depth in depths)


def n_features(shapes: Sequence[Shape]) -> int:
    """Return the number of values in maps of these shapes."""
    return sum(math.prod(shape) for shape in shapes)
