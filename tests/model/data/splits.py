"""Views of a data set's splits, for the tests of the loaders."""

import torch
from torch import Tensor

from model.data.images import ImageData, LabelledImages


def splits(data: ImageData) -> tuple[LabelledImages, LabelledImages, LabelledImages]:
    return data.train, data.validation, data.test


def sizes(data: ImageData) -> list[int]:
    return [len(split) for split in splits(data)]


def pixels_of(split: LabelledImages) -> list[bytes]:
    """Return the bytes of each image, row by row."""
    return [image.tobytes() for image in split.pixels]


def images_per_class(data: ImageData) -> list[list[int]]:
    """Count the images of each class in each split."""
    return [torch.bincount(split.labels, minlength=len(data.class_names)).tolist() for split in splits(data)]


def is_uint8_in_channels_last(images: Tensor) -> bool:
    return images.dtype == torch.uint8 and images.is_contiguous(memory_format=torch.channels_last)
