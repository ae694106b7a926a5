"""CIFAR-10: read from a named folder, or downloaded.

torchvision downloads it; the files are read without it, since it imports PyTorch's compiler, which takes seconds.
"""

import errno
import hashlib
import http.client
import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from model.data.images import ImageData, LabelledImages
from model.data.locations import DATA_FOLDER
from model.data.splits import labelled_images, with_validation_split
from model.errors import DataError, DownloadError

DOWNLOAD_TIMEOUT_S = 20
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR)
_FOLDER = "cifar-10-batches-py"
_TRAINING = tuple(f"data_batch_{number}" for number in range(1, 6))
_TESTING, _META = "test_batch", "batches.meta"
# Published md5 sums, as torchvision.datasets.CIFAR10 lists them.
_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    _TESTING: "40351d587109b95175f43aff81a1287e",
    _META: "5ff9c542aee3614f3951f8cda6e48888",
}


def load_cifar10(root: str | Path | None = None) -> ImageData:
    """Load CIFAR-10: 45,000 training and 5,000 validation images cut from the training set, and 10,000 test images.

    Args:
        root: the folder that holds `cifar-10-batches-py`. None takes `data/` in the checkout, or a folder of the user's
            cache where the program is installed, and downloads the files that are missing there (170 MB).

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
        return _read_or_download()
    folder = Path(root)
    if not (folder / _FOLDER).is_dir():
        raise DataError(f"{folder}: holds no folder {_FOLDER}; name the folder that does, or unset it")
    return _read(folder)


def _read(root: Path) -> ImageData:
    """Read the official files in `root`.

    Raises: DataError: a file is missing or damaged.
    """
    # Unpickled only after its md5 sum has been checked.
    unpickled = {name: pickle.loads(_verified(root / _FOLDER / name), encoding="latin1") for name in _MD5}
    training, testing = _images(*(unpickled[name] for name in _TRAINING)), _images(unpickled[_TESTING])
    return with_validation_split("cifar10", tuple(unpickled[_META]["label_names"]), training, testing)


def _verified(path: Path) -> bytes:
    """Return the contents of a file.

    Raises: DataError: it is missing, or its md5 sum is not the published one.
    """
    contents = path.read_bytes() if path.is_file() else b""
    if hashlib.md5(contents, usedforsecurity=False).hexdigest() != _MD5[path.name]:
        raise DataError(
            f"{path.parent}: a file is missing or does not have its published md5 sum; download the data set again"
        )
    return contents


def _images(*batches: dict[str, Any]) -> LabelledImages:
    """Join batches, whose images are rows of 3,072 bytes: all red values, then green, then blue."""
    pixels_NCHW = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
    labels = np.concatenate([np.asarray(batch["labels"]) for batch in batches])
    return labelled_images(pixels_NCHW.transpose(0, 2, 3, 1), labels)


def _read_or_download() -> ImageData:
    """Read the files in the folder `data/`; where they are not complete, let torchvision download them first.

    Raises:
        DownloadError: the server cannot be reached, or sends something else.
        OSError: the disk is full or cannot be written.
    """
    try:
        return _read(DATA_FOLDER)
    except DataError:
        _download()
    return _read(DATA_FOLDER)


def _download() -> None:
    from model.data.torchvision_import import import_datasets

    datasets = import_datasets()
    archive = datasets.CIFAR10
    with downloading("CIFAR-10"):
        # CIFAR10(download=True) would not download again if batches.meta alone were damaged.
        datasets.utils.download_and_extract_archive(
            archive.url, DATA_FOLDER, filename=archive.filename, md5=archive.tgz_md5
        )


@contextmanager
def downloading(name: str) -> Iterator[None]:
    """Let torchvision download the data set `name` within the block, and give up if a server does not answer.

    Raises:
        DownloadError: the server cannot be reached, or sends something else.
        OSError: the disk is full or cannot be written.
    """
    try:
        with _connection_timeout(DOWNLOAD_TIMEOUT_S):
            yield
    except (OSError, http.client.HTTPException, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise DownloadError(f"{name} could not be downloaded ({reason})") from error


@contextmanager
def _connection_timeout(seconds: float) -> Iterator[None]:
    """Set the timeout of new sockets within the block."""
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)
