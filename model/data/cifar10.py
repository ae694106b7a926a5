"""Images as uint8 tensors: CIFAR-10, the bundled sample, or a folder of one's own; and the splits.

N images, C channels, H W pixels.
"""

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
_ABOUT_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR)


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


def _from_official_sets(read: Callable[[], tuple[Any, Any]]) -> ImageData:
    training, testing = read()
    return with_validation_split(
        "cifar10",
        tuple(training.classes),
        labelled_images(training.data, np.asarray(training.targets)),
        labelled_images(testing.data, np.asarray(testing.targets)),
    )


def _read_cifar10(root: Path) -> tuple[Any, Any]:
    from model.data.torchvision_import import import_datasets

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
    from model.data.torchvision_import import import_datasets

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
