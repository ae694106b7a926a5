"""Splits of a data set: conversion from arrays, stratified cuts by a fixed seed, and the digest.

N images, H W pixels, C channels.
"""

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.config import Source
from model.data.images import ImageData, LabelledImages

VALIDATION_SHARE = 0.1
# The same split for every study, whatever its seed, so that scores of different studies refer to the same images.
SPLIT_SEED = 10


def labelled_images(pixels_NHWC: Any, labels: Any) -> LabelledImages:
    """Convert arrays, pixels (N, H, W, C) uint8 and labels (N,), to tensors."""
    images = torch.from_numpy(np.ascontiguousarray(pixels_NHWC)).permute(0, 3, 1, 2)
    return LabelledImages(images, torch.from_numpy(np.asarray(labels, dtype=np.int64)))


def with_validation_split(
    source: Source, class_names: tuple[str, ...], training: LabelledImages, testing: LabelledImages
) -> ImageData:
    """Cut a validation split of VALIDATION_SHARE off the training images."""
    rest, validation = split_evenly(training, VALIDATION_SHARE)
    return assemble(source, class_names, rest, validation, testing)


def assemble(source: Source, class_names: tuple[str, ...], *splits: LabelledImages) -> ImageData:
    """Put training, validation and test split together, with the SHA-256 of their pixels as digest."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(split.images.permute(0, 2, 3, 1).contiguous().numpy().data)
    training, validation, testing = splits
    return ImageData(source, class_names, training, validation, testing, digest.hexdigest())


def split_evenly(images: LabelledImages, share: float) -> tuple[LabelledImages, LabelledImages]:
    """Cut off a share of every class by the fixed seed; return (rest, cut), each in the original order."""
    shuffled = torch.randperm(len(images), generator=torch.Generator().manual_seed(SPLIT_SEED))
    by_class = shuffled[images.labels[shuffled].argsort(stable=True)]
    n_cut = round(share * len(images))
    evenly_spaced = ((torch.arange(n_cut, dtype=torch.float64) + 0.5) * len(images) / n_cut).long()
    is_cut = torch.zeros(len(images), dtype=torch.bool)
    is_cut[by_class[evenly_spaced]] = True
    return _subset(images, ~is_cut), _subset(images, is_cut)


def _subset(images: LabelledImages, mask: Tensor) -> LabelledImages:
    return LabelledImages(images.images[mask].contiguous(memory_format=torch.channels_last), images.labels[mask])
