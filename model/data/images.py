"""Images as uint8 tensors: CIFAR-10, the bundled sample, or a folder of one's own; and the splits.

N images, C channels, H W pixels.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.config import Source


@dataclass(frozen=True)
class LabelledImages:
    """One split: images (N, 3, 32, 32) uint8 in channels_last memory, labels (N,) int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class ImageData:
    """Three splits and where they came from. `digest` changes with any pixel."""

    source: Source
    class_names: tuple[str, ...]
    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    digest: str

    def to(self, device: torch.device) -> "ImageData":
        """The same data with its images on `device`."""
        moved = {
            name: replace(split, images=split.images.to(device))
            for name, split in (("train", self.train), ("validation", self.validation), ("test", self.test))
        }
        return replace(self, **moved)  # type: ignore[arg-type]


def to_unit(images: Tensor) -> Tensor:
    """uint8 pixels as float32 in [0, 1]."""
    return images.float().div_(255)
