"""Images in memory: labelled splits as uint8 tensors, and their conversion to floats and to arrays.

N images, C channels, H W pixels.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import ImageShape, Source


@dataclass(frozen=True)
class LabelledImages:
    """Split of a data set: images (N, C, H, W) uint8 in channels_last memory, labels (N,) int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Images as an array (N, H, W, C), as the methods of `TrainedModel` take them."""
        return as_pixels(self.images)


@dataclass(frozen=True)
class ImageData:
    """Training, validation and test split of a data set.

    Attributes:
        source: `cifar10`, `sample` or `folder`.
        class_names: names by label.
        train: training images.
        validation: validation images.
        test: test images.
        digest: SHA-256 of all pixels: two data sets with the same digest have the same images in the same order.
        reading: for a folder, a line that says how many files were read, and how many were left out and why.

    Example:
        >>> data = model.load_sample()
        >>> data.validation.pixels.shape
        (500, 32, 32, 3)
    """

    source: Source
    class_names: tuple[str, ...]
    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    digest: str
    reading: str | None = None

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height and width of an image."""
        n_channels, height, width = self.train.images.shape[1:]
        return n_channels, height, width

    def to(self, device: torch.device) -> "ImageData":
        """Return the same data with its images on `device`; the labels stay on the CPU."""
        moved = {
            name: replace(split, images=split.images.to(device))
            for name, split in (("train", self.train), ("validation", self.validation), ("test", self.test))
        }
        return replace(self, **moved)  # type: ignore[arg-type]


def to_unit(images: Tensor) -> Tensor:
    """Convert uint8 pixels to float32 in [0, 1]."""
    return images.float().div_(255)


def as_rgb(images: Tensor) -> NDArray[np.uint8]:
    """Convert images, uint8 (N, C, H, W) with 1 or 3 channels, to an array (N, H, W, 3) as pictures show them."""
    return as_pixels(images.expand(-1, 3, -1, -1))


def as_pixels(images: Tensor) -> NDArray[np.uint8]:
    """Convert images, uint8 (N, C, H, W) on any device, to an array (N, H, W, C)."""
    return np.ascontiguousarray(images.cpu().permute(0, 2, 3, 1).numpy())
