"""Types of arrays that figures take, and checks of image arrays.

Legend: N images, H W pixels of one image, 3 colour channels (RGB, uint8).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]


def check_images(images: Pixels) -> None:
    """Check an array of images.

    Raises: ValueError: images are not uint8 of shape (N, H, W, 3) with N >= 1.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or len(images) == 0:
        raise ValueError(f"images must be uint8 of shape (N, H, W, 3), but got {images.dtype} {images.shape}")


def check_same_shape(originals: Pixels, images: Pixels, name: str) -> None:
    """Check that `images`, called `name` in the message, are as many and as large as the originals.

    Raises: ValueError: shapes or types differ.
    """
    if originals.shape != images.shape or images.dtype != originals.dtype:
        raise ValueError(
            f"{name} must be uint8 {originals.shape} like the originals, but got {images.dtype} {images.shape}"
        )
