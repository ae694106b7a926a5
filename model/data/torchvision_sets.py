"""Data sets that torchvision reads: CIFAR-100, Fashion-MNIST, MNIST and SVHN, from their official files."""

from pathlib import Path
from typing import Any

import numpy as np

from model.config import SHAPES, Source
from model.data.cifar10 import downloading
from model.data.images import ImageData
from model.data.locations import DATA_FOLDER
from model.data.splits import labelled_images, with_validation_split
from model.data.torchvision_import import import_datasets
from model.errors import DataError, DownloadError

_PREFIX = "torchvision:"
_MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
# Where torchvision looks for a set's files, below the folder that is named to it.
_FILES = {
    "CIFAR100": ("cifar-100-python", ("train", "test", "meta")),
    "FashionMNIST": ("FashionMNIST/raw", _MNIST),
    "MNIST": ("MNIST/raw", _MNIST),
    "SVHN": ("", ("train_32x32.mat", "test_32x32.mat")),
}


def load_torchvision(source: Source, root: str | Path | None = None) -> ImageData:
    """Load a data set that torchvision reads; a tenth of its training images, cut by a fixed seed, validates.

    Args:
        source: `torchvision:CIFAR100`, `torchvision:FashionMNIST`, `torchvision:MNIST` or `torchvision:SVHN`.
        root: the folder that holds its files, as torchvision arranges them. None takes `data/` in the checkout, or
            a folder of the user's cache where the program is installed, and downloads what is missing there.

    Returns: the three splits.

    Raises:
        DataError: the files are missing, damaged or those of another set, or could not be downloaded.
        OSError: the disk is full or cannot be written.
    """
    name, folder = source.removeprefix(_PREFIX), Path(root or DATA_FOLDER)
    splits = [_read(name, folder, is_training=is_training, downloads=root is None) for is_training in (True, False)]
    arrays = [(_pixels(split), _labels(split)) for split in splits]
    n_channels, *sides = SHAPES[source]
    if any(pixels.shape != (len(labels), *sides, n_channels) for pixels, labels in arrays):
        raise DataError(f"{folder}: holds other images than those of {name}; it must have {_needed(name)}")
    training, testing = (labelled_images(pixels, labels) for pixels, labels in arrays)
    # SVHN has no names: its classes are digits.
    names = getattr(splits[0], "classes", [str(digit) for digit in range(10)])
    return with_validation_split(source, tuple(names), training, testing)


def _read(name: str, folder: Path, *, is_training: bool, downloads: bool) -> Any:
    """Let torchvision read a split, and with `downloads` first download what is missing.

    Raises: DataError: the files are missing or damaged, or could not be downloaded.
    """
    kind: Any = getattr(import_datasets(), name)
    split = {"split": "train" if is_training else "test"} if name == "SVHN" else {"train": is_training}
    try:
        return kind(folder, **split)
    except OSError:
        raise
    # Missing files are a RuntimeError; damaged ones are whatever torchvision's parsers raise.
    except Exception as error:
        if not downloads:
            raise DataError(f"{folder}: holds no complete {name}; it must have {_needed(name)}") from error
    try:
        with downloading(name):
            return kind(folder, **split, download=True)
    except DownloadError as error:
        _remove_empty(folder / _FILES[name][0], folder)
        raise DataError(
            f"{error}. Put {_needed(name)} into {folder}, or set data.root to the folder that has them"
        ) from None


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove the folders below `root` that torchvision made for a download that failed, if they hold nothing."""
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _needed(name: str) -> str:
    """Return the files of a set in words: `MNIST/raw with train-images-idx3-ubyte, ...`."""
    folder, files = _FILES[name]
    return f"{folder} with {', '.join(files)}" if folder else " and ".join(files)


def _pixels(images: Any) -> Any:
    """Return the pixels of a set that torchvision has read, (N, H, W, C) uint8."""
    pixels = np.asarray(images.data)
    if pixels.ndim == 3:
        return pixels[..., None]
    return pixels.transpose(0, 2, 3, 1) if pixels.shape[1] == 3 else pixels


def _labels(images: Any) -> Any:
    return np.asarray(images.labels if hasattr(images, "labels") else images.targets)
