"""CIFAR-10: read from a named folder, or downloaded into the folder `data/`."""

import errno
import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from model.data.images import ImageData
from model.data.splits import DATA_FOLDER, labelled_images, with_validation_split
from model.errors import DataError, DownloadError

DOWNLOAD_TIMEOUT_S = 20
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR)


def load_cifar10(root: str | Path | None = None) -> ImageData:
    """Load CIFAR-10: 45,000 training and 5,000 validation images cut from the training set, and 10,000 test images.

    Args:
        root: the folder that holds `cifar-10-batches-py`. None takes `data/` in the checkout, and downloads the files
            that are missing there (170 MB).

    Returns: the three splits, each with equally many images of every class.

    Raises:
        DataError: `root` holds no such folder, or its files do not have their published md5 sums.
        DownloadError: `root` is None and the download failed.
        OSError: the disk is full or cannot be written.

    Example:
        >>> data = model.load_cifar10("/datasets/cifar10")
        >>> len(data.train), len(data.validation), len(data.test)
        (45000, 5000, 10000)
    """
    if root is None:
        return _from_official_sets(_download_cifar10)
    folder = Path(root)
    if not (folder / "cifar-10-batches-py").is_dir():
        raise DataError(f"{folder}: holds no folder cifar-10-batches-py; name the folder that does, or unset it")
    return _from_official_sets(lambda: _read_cifar10(folder))


def _from_official_sets(read: Callable[[], tuple[Any, Any]]) -> ImageData:
    """Convert torchvision's training and test set, as `read` returns them."""
    training, testing = read()
    return with_validation_split(
        "cifar10",
        tuple(training.classes),
        labelled_images(training.data, np.asarray(training.targets)),
        labelled_images(testing.data, np.asarray(testing.targets)),
    )


def _read_cifar10(root: Path) -> tuple[Any, Any]:
    """Read torchvision's training and test set in `root`.

    Raises: DataError: a file is missing or damaged.
    """
    from model.data.torchvision_import import import_datasets

    datasets = import_datasets()
    try:
        return datasets.CIFAR10(root, train=True), datasets.CIFAR10(root, train=False)
    except RuntimeError as error:
        if "corrupted" not in str(error):
            raise
        raise DataError(
            f"{root / 'cifar-10-batches-py'}: a file is missing or does not have its published md5 sum; "
            "download the data set again"
        ) from None


def _download_cifar10() -> tuple[Any, Any]:
    """Download what is missing in the folder `data/`, then read it.

    Raises:
        DownloadError: the server cannot be reached, or sends something else.
        OSError: the disk is full or cannot be written.
    """
    from model.data.torchvision_import import import_datasets

    datasets = import_datasets()
    try:
        with _connection_timeout(DOWNLOAD_TIMEOUT_S):
            datasets.CIFAR10(DATA_FOLDER, download=True)
    except (OSError, http.client.HTTPException, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise
        reason = getattr(error, "reason", error)
        raise DownloadError(f"CIFAR-10 could not be downloaded ({reason})") from error
    return _read_cifar10(DATA_FOLDER)


@contextmanager
def _connection_timeout(seconds: float) -> Iterator[None]:
    """Set the timeout of new sockets within the block."""
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)
