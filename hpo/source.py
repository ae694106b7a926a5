"""Which images a study is about, and what happens where they cannot be fetched."""

import os
from itertools import pairwise
from pathlib import Path

from hpo.config import StudyConfig
from hpo.paths import SAMPLE_SUFFIX
from model.config import TrainConfig
from model.data import ImageData, load_cifar10, load_folder, load_sample
from model.errors import DataError, DownloadError

ROOT_VARIABLE = "CIFAR10_ROOT"


def load_data(config: StudyConfig) -> tuple[StudyConfig, ImageData, str | None]:
    """Load a study's images: (the study as it will run, its data, a line to print first or None).

    Where CIFAR-10 was neither named nor to be downloaded, the bundled sample stands in, under a study name of its
    own, so that a lost connection never turns a big study into a small one.

    Raises: DataError: the images are absent or unreadable, or too few for the study's batch sizes.
    """
    try:
        data, notice = _load(config), None
    except DownloadError as error:
        if not config.data.fallback:
            raise DataError(f"{error}; data.fallback is false. {_HOW_TO_NAME}") from None
        data, notice = load_sample(), _fallback_notice(config, error)
        config = config.model_copy(update={"name": f"{config.name}{SAMPLE_SUFFIX}"})
    _check_batch_sizes(config, data)
    return config, data, notice


_HOW_TO_NAME = f"Set {ROOT_VARIABLE} or data.root to the folder that holds cifar-10-batches-py."


def _load(config: StudyConfig) -> ImageData:
    if config.data.source == "sample":
        return load_sample()
    if config.data.source == "folder":
        assert config.data.root is not None, "validated with the configuration"
        return load_folder(_expanded(config.data.root))
    for name, root in ((ROOT_VARIABLE, os.environ.get(ROOT_VARIABLE)), ("data.root", config.data.root)):
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


def _fallback_notice(config: StudyConfig, error: DownloadError) -> str:
    return (
        f"{error}: using the bundled sample of 5,000 images, as study '{config.name}{SAMPLE_SUFFIX}'. "
        f"Its scores are not CIFAR-10's. {_HOW_TO_NAME}"
    )


def _check_batch_sizes(config: StudyConfig, data: ImageData) -> None:
    """A batch must fit into the training images, and into the shortest stretch between two reports."""
    training, largest = config.training, config.hyperparameters.largest("batch_size")
    course = TrainConfig(epochs=training.epochs, report_every=training.report_every)
    points = [course.epoch_at(report) for report in range(course.n_reports + 1)]
    n_images = int(min(after - before for before, after in pairwise(points)) * len(data.train) + 1e-6)
    if largest > n_images:
        raise DataError(
            f"hyperparameters.batch_size: must be at most {n_images}, the fewest training images between two reports "
            f"(training.report_every {training.report_every:g} of {len(data.train)}), got {largest}"
        )
