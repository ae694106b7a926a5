"""Images as uint8 tensors: CIFAR-10, the bundled sample, or a folder of one's own; and the splits.

N images, C channels, H W pixels.
"""

import errno
import hashlib
import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.config import Source
from model.errors import DataError, DownloadError
from model.folder import read_folder
from model.sample import read_sample

DATA_FOLDER = Path(__file__).resolve().parent.parent / "data"
VALIDATION_SHARE = 0.1
# One split for every study, whatever its seed: scores of different studies are about the same images.
SPLIT_SEED = 10
DOWNLOAD_TIMEOUT_S = 20
_ABOUT_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR)


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


def load_cifar10(root: Path | None) -> ImageData:
    """CIFAR-10 from `root` (the folder that holds `cifar-10-batches-py`), or from `data/`, downloaded where missing.

    45,000 training and 5,000 validation images are cut from the official training set.

    Raises: DataError: `root` is absent or its files do not have their published md5 sums.
            DownloadError: nothing was named and the download failed.
    """
    if root is None:
        return _from_official_sets(_download_cifar10)
    batches = root / "cifar-10-batches-py"
    if not batches.is_dir():
        raise DataError(f"{root}: holds no folder cifar-10-batches-py; name the folder that does, or unset it")
    return _from_official_sets(lambda: _read_cifar10(root))


def load_sample() -> ImageData:
    """The bundled sample: 4,500 / 500 / 1,000 images of CIFAR-10.

    Raises: DataError: its files are missing or damaged.
    """
    sample = read_sample(DATA_FOLDER / "sample")
    training, testing = (_labelled(*sample.splits[name]) for name in ("train", "test"))
    return _with_validation("sample", sample.class_names, training, testing)


def load_folder(root: Path) -> ImageData:
    """A folder of images, class subfolders or flat, resized and cropped to 32x32 RGB, split 80 / 10 / 10.

    Raises: DataError: the folder is absent, holds too few images, or one of them is corrupt.
    """
    pixels, labels, class_names = read_folder(root)
    everything = _labelled(pixels, labels)
    rest, testing = _split(everything, VALIDATION_SHARE)
    training, validation = _split(rest, VALIDATION_SHARE / (1 - VALIDATION_SHARE))
    return _assemble("folder", class_names, training, validation, testing)


def to_unit(images: Tensor) -> Tensor:
    """uint8 pixels as float32 in [0, 1]."""
    return images.float().div_(255)


def _from_official_sets(read: Callable[[], tuple[Any, Any]]) -> ImageData:
    training, testing = read()
    return _with_validation(
        "cifar10",
        tuple(training.classes),
        _labelled(training.data, np.asarray(training.targets)),
        _labelled(testing.data, np.asarray(testing.targets)),
    )


def _read_cifar10(root: Path) -> tuple[Any, Any]:
    from model.torchvision_cpu import import_datasets

    datasets = import_datasets()
    try:
        return datasets.CIFAR10(root, train=True), datasets.CIFAR10(root, train=False)
    except RuntimeError as error:
        if "corrupted" not in str(error):
            raise
        raise DataError(
            f"{root / 'cifar-10-batches-py'}: a file is missing or does not have its published md5 sum; "
            "fetch the data set anew"
        ) from None


def _download_cifar10() -> tuple[Any, Any]:
    from model.torchvision_cpu import import_datasets

    datasets = import_datasets()
    try:
        with _connection_timeout(DOWNLOAD_TIMEOUT_S):
            datasets.CIFAR10(DATA_FOLDER, download=True)
    except (OSError, http.client.HTTPException, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno in _ABOUT_THE_DISK:
            raise
        reason = getattr(error, "reason", error)
        raise DownloadError(f"CIFAR-10 could not be downloaded ({reason})") from error
    return _read_cifar10(DATA_FOLDER)


@contextmanager
def _connection_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _labelled(pixels_NHWC: Any, labels: Any) -> LabelledImages:
    images = torch.from_numpy(np.ascontiguousarray(pixels_NHWC)).permute(0, 3, 1, 2)
    return LabelledImages(images, torch.from_numpy(np.asarray(labels, dtype=np.int64)))


def _with_validation(
    source: Source, class_names: tuple[str, ...], training: LabelledImages, testing: LabelledImages
) -> ImageData:
    rest, validation = _split(training, VALIDATION_SHARE)
    return _assemble(source, class_names, rest, validation, testing)


def _assemble(source: Source, class_names: tuple[str, ...], *splits: LabelledImages) -> ImageData:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(split.images.permute(0, 2, 3, 1).contiguous().numpy().data)
    training, validation, testing = splits
    return ImageData(source, class_names, training, validation, testing, digest.hexdigest())


def _split(whole: LabelledImages, share: float) -> tuple[LabelledImages, LabelledImages]:
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
