"""Images as uint8 tensors: CIFAR-10, the bundled sample, or a folder of one's own; and the splits.

N images, C channels, H W pixels.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.config import Source
from model.data.images import ImageData, LabelledImages

DATA_FOLDER = Path(__file__).resolve().parents[2] / "data"
VALIDATION_SHARE = 0.1
# One split for every study, whatever its seed: scores of different studies are about the same images.
SPLIT_SEED = 10


def labelled_images(pixels_NHWC: Any, labels: Any) -> LabelledImages:
    images = torch.from_numpy(np.ascontiguousarray(pixels_NHWC)).permute(0, 3, 1, 2)
    return LabelledImages(images, torch.from_numpy(np.asarray(labels, dtype=np.int64)))


def with_validation_split(
    source: Source, class_names: tuple[str, ...], training: LabelledImages, testing: LabelledImages
) -> ImageData:
    rest, validation = split_evenly(training, VALIDATION_SHARE)
    return assemble(source, class_names, rest, validation, testing)


def assemble(source: Source, class_names: tuple[str, ...], *splits: LabelledImages) -> ImageData:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(split.images.permute(0, 2, 3, 1).contiguous().numpy().data)
    training, validation, testing = splits
    return ImageData(source, class_names, training, validation, testing, digest.hexdigest())


def split_evenly(whole: LabelledImages, share: float) -> tuple[LabelledImages, LabelledImages]:
    """Cut `share` off, evenly over the classes and by the fixed seed: (rest, cut), each in the original order."""
    shuffled = torch.randperm(len(whole), generator=torch.Generator().manual_seed(SPLIT_SEED))
    by_class = shuffled[whole.labels[shuffled].argsort(stable=True)]
    n_cut = round(share * len(whole))
    evenly_spaced = ((torch.arange(n_cut, dtype=torch.float64) + 0.5) * len(whole) / n_cut).long()
    cut = torch.zeros(len(whole), dtype=torch.bool)
    cut[by_class[evenly_spaced]] = True
    return _subset(whole, ~cut), _subset(whole, cut)


def _subset(whole: LabelledImages, mask: Tensor) -> LabelledImages:
    return LabelledImages(whole.images[mask].contiguous(memory_format=torch.channels_last), whole.labels[mask])
