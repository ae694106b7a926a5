"""Which images a study is about, and what happens where they cannot be fetched."""

import os
from itertools import pairwise
from pathlib import Path

from hpo.config.schema import Data, StudyConfig
from model.config import TrainConfig
from model.data.bundled_sample import load_sample
from model.data.cifar10 import load_cifar10
from model.data.image_folder import load_folder
from model.data.images import ImageData
from model.data.splits import DATA_FOLDER
from model.errors import DataError, DownloadError

ROOT_VARIABLE = "CIFAR10_ROOT"
# Ends the name of the study that runs on the bundled sample because CIFAR-10 could not be downloaded.
SAMPLE_SUFFIX = "-sample"


def load_data(config: StudyConfig) -> tuple[StudyConfig, ImageData, str | None]:
    """Load a study's images: (the study as it will run, its data, a line to print first or None).

    Where the bundled sample stands in, the study gets a name of its own, so that a lost connection never turns a big
    study into a small one.

    Raises: DataError: the images are absent or unreadable, or too few for the study's batch sizes.
    """
    data, reason = load_images(config.data)
    notice = None
    if reason:
        config = config.model_copy(update={"name": f"{config.name}{SAMPLE_SUFFIX}"})
        notice = stand_in_notice(reason, f"as study '{config.name}'")
    training = config.training
    course = TrainConfig(epochs=training.epochs, report_every=training.report_every)
    check_batch_size(
        "hyperparameters.batch_size", config.hyperparameters.largest("batch_size"), course, len(data.train)
    )
    return config, data, notice


def load_images(wanted: Data) -> tuple[ImageData, str | None]:
    """Load images: (the data, None), or (the bundled sample, why CIFAR-10 could not be fetched).

    Raises: DataError: they are absent or unreadable, or could not be fetched and the sample must not stand in.
    """
    try:
        return _load(wanted), None
    except DownloadError as error:
        if not wanted.fallback:
            raise DataError(f"{error}; data.fallback is false. {_HOW_TO_NAME}") from None
        return load_sample(), str(error)


def cifar10_root() -> Path:
    """The folder in which `load_images` finds CIFAR-10 where no study names one."""
    named = os.environ.get(ROOT_VARIABLE)
    return _expanded(named).resolve() if named else DATA_FOLDER


def stand_in_notice(reason: str, where: str) -> str:
    """What to say first where the sample stands in; `where` tells under what name its results go."""
    return f"{reason}: using the bundled sample of 5,000 images, {where}. Its scores are not CIFAR-10's. {_HOW_TO_NAME}"


def check_batch_size(key: str, batch_size: int, course: TrainConfig, n_train: int) -> None:
    """A batch must fit into the training images, and into the shortest stretch between two reports.

    Raises: DataError: it does not.
    """
    points = [course.epoch_at(report) for report in range(course.n_reports + 1)]
    n_images = int(min(after - before for before, after in pairwise(points)) * n_train + 1e-6)
    if batch_size > n_images:
        raise DataError(
            f"{key}: must be at most {n_images}, the fewest training images between two reports "
            f"(training.report_every {course.report_every:g} of {n_train}), got {batch_size}"
        )


_HOW_TO_NAME = f"Set {ROOT_VARIABLE} or data.root to the folder that holds cifar-10-batches-py."


def _load(wanted: Data) -> ImageData:
    if wanted.source == "sample":
        return load_sample()
    if wanted.source == "folder":
        assert wanted.root is not None, "validated with the configuration"
        return load_folder(_expanded(wanted.root))
    for name, root in ((ROOT_VARIABLE, os.environ.get(ROOT_VARIABLE)), ("data.root", wanted.root)):
        if root:
            return _load_named(name, _expanded(root))
    return load_cifar10(None)


def _load_named(name: str, root: Path) -> ImageData:
    try:
        return load_cifar10(root)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None


def _expanded(path: str | Path) -> Path:
    # Path.expanduser raises where there is no such user; this leaves the name as it stands, to be told as absent.
    return Path(os.path.expanduser(path))
