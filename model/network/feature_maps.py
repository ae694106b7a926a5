"""Maps between the convolutions and the latent vector: what the encoder reads it from, and the decoder writes it to.

This module imports no torch, so that a study file with too many convolutions is reported at once.

C channels, H W pixels.
"""

import math
from collections.abc import Sequence

from model.config import Architecture

IMAGE_CHANNELS = 3
IMAGE_SIZE = 32
# Convolutions of stride 2 after which one pixel is left.
MAX_STAGES = 5
# Convolutions beside the linear skip of the architecture `linear_skip`.
N_BESIDE = 2

Shape = tuple[int, int, int]


def map_shapes(channels: tuple[int, ...], architecture: Architecture) -> tuple[Shape, ...]:
    """Return the shapes (C, H, W): of the last map; for `linear_skip` first of the map that its linear skip reaches."""
    depths = sorted({N_BESIDE, len(channels)}) if architecture == "linear_skip" else [len(channels)]
    return tuple((channels[depth - 1], IMAGE_SIZE // 2**depth, IMAGE_SIZE // 2**depth) for depth in depths)


def n_features(shapes: Sequence[Shape]) -> int:
    """Return the number of values in maps of these shapes."""
    return sum(math.prod(shape) for shape in shapes)
