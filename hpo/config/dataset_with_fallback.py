"""Loads the images that a study names; the bundled sample replaces a CIFAR-10 that cannot be downloaded."""

import math
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from hpo.config.schema import SAMPLE_SUFFIX, Data, StudyConfig
from model.config import TrainConfig
from model.data.bundled_sample import load_sample
from model.data.cifar10 import load_cifar10
from model.data.image_folder import load_folder
from model.data.images import ImageData
from model.data.locations import DATA_FOLDER
from model.data.torchvision_sets import load_torchvision
from model.errors import DataError, DownloadError

ROOT_VARIABLE = "CIFAR10_ROOT"
# Standard deviation of the scores of single images of CIFAR-10: 0.38 with 64 dimensions, 0.45 with 256 (pPCA).
_SPREAD_BPD = 0.4
_NOTABLE_HALF_WIDTH = 0.05
_REMEDY = f"Set {ROOT_VARIABLE} or data.root to the folder that holds cifar-10-batches-py."


def load_data(config: StudyConfig) -> tuple[StudyConfig, ImageData, str | None]:
    """Load a study's images.

    Returns: (the configuration to run, its images, a line to print first or None). If the bundled sample replaces
        CIFAR-10, the configuration has another name, so that a lost connection never adds trials on the sample to a
        study of CIFAR-10.

    Raises: DataError: the images are absent or unreadable, or too few for the study's batch sizes.
    """
    data, reason = load_images(config.data)
    notice = None
    if reason:
        config = config.model_copy(update={"name": f"{config.name}{SAMPLE_SUFFIX}"})
        notice = fallback_notice(reason, f"as study '{config.name}'")
    if "hyperparameters" in config.model_fields_set:
        check_batch_sizes(config, len(data.train))
    return config, data, notice


def load_images(named: Data) -> tuple[ImageData, str | None]:
    """Load the images that a study file names.

    Returns: (the images, None), or (the bundled sample, the reason why CIFAR-10 could not be downloaded).

    Raises: DataError: they are absent or unreadable, or CIFAR-10 could not be downloaded and `fallback` is false.
    """
    try:
        return _load(named), None
    except DownloadError as error:
        if not named.fallback:
            raise DataError(f"{error}; data.fallback is false. {_REMEDY}") from None
        return load_sample(), str(error)


def cifar10_root() -> Path:
    """Return the folder of CIFAR-10 for a study without `data.root`: CIFAR10_ROOT if it is set, else data/."""
    root = os.environ.get(ROOT_VARIABLE)
    return _expanded(root).resolve() if root else DATA_FOLDER


def fallback_notice(reason: str, destination: str) -> str:
    """Return the line that reports that the sample is used; `destination` names where its results go."""
    return (
        f"{reason}: using the bundled sample of 5,000 images, {destination}. Its scores are not CIFAR-10's. {_REMEDY}"
    )


def image_notices(data: ImageData) -> list[str]:
    """Return lines about the images of a command: what was read, and that they are few."""
    return [line for line in (data.reading, _few_images_notice(len(data.validation))) if line]


def _few_images_notice(n_val: int) -> str | None:
    """Return the line that says how little a score on few validation images tells; None for enough of them."""
    half = 2 * _SPREAD_BPD / math.sqrt(n_val)
    if half < _NOTABLE_HALF_WIDTH:
        return None
    return (
        f"Note: only {n_val} validation images, so that a score would differ by up to about {half:.2f} with others of "
        "the same kind: trials that are closer than that may be equally good."
    )


def check_batch_sizes(config: StudyConfig, n_train: int) -> None:
    """Check a study's batch sizes, as `check_batch_size` does.

    Raises: DataError: one is too large.
    """
    # While the length is open, the stretches between reports are taken to be equal.
    epochs = 1 if config.training.epochs == "auto" else config.training.epochs
    training = TrainConfig(epochs=epochs, report_every=config.training.report_every)
    check_batch_size("hyperparameters.batch_size", config.hyperparameters.largest("batch_size"), training, n_train)


def check_batch_size(key: str, batch_size: int, training: TrainConfig, n_train: int) -> None:
    """Check that a batch has at most as many images as are seen between any two reports.

    Raises: DataError: it has more; the message begins with `key`.
    """
    points = [training.epoch_at(report) for report in range(training.n_reports + 1)]
    n_images = int(min(after - before for before, after in pairwise(points)) * n_train + 1e-6)
    if batch_size > n_images:
        raise DataError(
            f"{key}: must be at most {n_images}, the fewest training images between two reports "
            f"(training.report_every {training.report_every:g} of {n_train}), got {batch_size}"
        )


def _load(named: Data) -> ImageData:
    if named.source == "sample":
        return load_sample()
    if named.source == "folder":
        assert named.root is not None, "validated with the configuration"
        n_channels, size, _ = named.image_shape
        return _load_from(named.root, "data", lambda root: load_folder(root, size, n_channels))
    if named.source != "cifar10":
        source = named.source
        if named.root is None:
            return load_torchvision(source)
        return _load_from(named.root, "data.root", lambda root: load_torchvision(source, root))
    for origin, root in ((ROOT_VARIABLE, os.environ.get(ROOT_VARIABLE)), ("data.root", named.root)):
        if root:
            return _load_from(root, origin, load_cifar10)
    return load_cifar10(None)


def _load_from(root: str | Path, origin: str, load: Callable[[Path], ImageData]) -> ImageData:
    """Load images from a folder that the variable or key `origin` names."""
    try:
        return load(_expanded(root))
    except DataError as error:
        raise DataError(f"{origin}: {error}") from None


def _expanded(path: str | Path) -> Path:
    # Path.expanduser raises if there is no such user; this keeps the path, which is then reported as absent.
    return Path(os.path.expanduser(path))
