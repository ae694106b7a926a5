"""Schema of a run's metrics.json, the numbers at the end of a run, and the rows of its metrics.csv."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpo.storage.run_record import RunError
from model.config import FIRST_VALUES, IMAGE_SHAPE, ImageShape
from model.scoring.definitions import bits

_TEST_SCORES = ("bpd", "bpd_interval", "mse", "psnr_db", "rate_nats", "distortion_nats")


@dataclass(frozen=True)
class TrialOrigin:
    """Study and trial that a run retrains, and the val_bpd of that trial after `epochs` epochs.

    `expected_bpd` is the val_bpd that the run was expected to end at, `expected_deviation` the standard deviation of
    this prediction; None for a finished trial that is retrained at its own length, for a run that is shorter than a
    trial, and where nothing predicts it.
    """

    study: str
    trial: int
    val_bpd: float
    epochs: float
    expected_bpd: float | None = None
    expected_deviation: float | None = None

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> "TrialOrigin | None":
        """Read the entries of metrics.json; None for a single training run, which retrains no trial."""
        if entries["study"] is None:
            return None
        own = entries["trial_val_bpd"], entries["trial_epochs"]
        expected = (entries.get(f"trial_expected_{name}") for name in ("bpd", "deviation"))
        return cls(entries["study"], entries["trial"], *own, *expected)


@dataclass(frozen=True)
class ImageCounts:
    """Source of the images, the number of images in each split, and an image's channels, height and width.

    In older files and studies, which do not tell the shape, it is that of CIFAR-10.
    """

    source: str
    n_train: int
    n_val: int
    n_test: int
    image_shape: ImageShape = IMAGE_SHAPE

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> "ImageCounts":
        """Read the entries that `provenance.data_facts` made, also from a file."""
        n_channels, height, width = entries.get("image_shape", IMAGE_SHAPE)
        return cls(**{**entries, "image_shape": (n_channels, height, width)})

    @property
    def n_dims(self) -> int:
        """Number of values of an image."""
        return math.prod(self.image_shape)


@dataclass(frozen=True)
class SplitScores:
    """Scores of one split: its score and that of probabilistic PCA in bits/dim, rate and distortion in nats per image.

    `bpd_interval` is the score's bootstrap interval over the images, None in files that are older than it; `ppca_bpd`
    is None if there are too few images for a linear model of this size. `codeless_bpd` is the score of a Gaussian
    without a code, None in older files and for a handful of images.
    """

    bpd: float
    bpd_interval: tuple[float, float] | None
    rate_nats: float
    distortion_nats: float
    mse: float
    ppca_bpd: float | None
    codeless_bpd: float | None

    @property
    def psnr_db(self) -> float:
        """Peak signal-to-noise ratio of reconstructions with pixels in [0, 1]: -10 log10(mse), infinite for mse 0."""
        return -10 * math.log10(self.mse) if self.mse > 0 else math.inf

    @property
    def rate_bits(self) -> float:
        """Rate in bits per image."""
        return bits(self.rate_nats)

    def rate_bpd(self, n_dims: int) -> float:
        """Return the share of the score that the rate makes, in bits per dimension, for images of `n_dims` values."""
        return bits(self.rate_nats) / n_dims


@dataclass(frozen=True)
class ImportanceWeighted:
    """Importance-weighted bound on a subset of the test images, and the plain score of the same images, in bits/dim."""

    n_samples: int
    n_images: int
    bpd: float
    elbo_bpd_of_the_same_images: float


@dataclass(frozen=True)
class RunMetrics:
    """Content of metrics.json. `origin` is None for a single run; `test` and `importance_weighted` are None if the test
    split was not scored.

    `images_per_second` is the median over epochs; `val_bpd_interval` is the score's bootstrap interval over the images,
    None in files that are older than it; `ppca_val_bpd` is None if there are too few images. `codeless_val_bpd` is as
    in `SplitScores`.
    """

    origin: TrialOrigin | None
    hyperparameters: dict[str, Any]
    architecture: str
    linear_path: bool
    seed: int
    epochs: int
    skipped_updates: int
    images_per_second: float
    elapsed_s: float
    device: str
    precision: str
    val_bpd: float
    val_bpd_interval: tuple[float, float] | None
    test: SplitScores | None
    importance_weighted: ImportanceWeighted | None
    sigma: float
    active_units: int
    ppca_val_bpd: float | None
    codeless_val_bpd: float | None
    data: ImageCounts
    versions: dict[str, str]
    git_commit: str | None

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> "RunMetrics":
        """Read the entries of metrics.json, also of a version that did not write all of them."""
        entries = FIRST_VALUES | dict(entries)
        nested: dict[str, Any] = {
            "origin": TrialOrigin.from_dict(entries),
            "val_bpd_interval": _interval(entries, "val"),
            "codeless_val_bpd": entries.get("codeless_val_bpd"),
            "test": _read_test(entries),
            "importance_weighted": _read_importance_weighted(entries),
            "data": ImageCounts.from_dict(entries["data"]),
        }
        return cls(**nested, **{name: entries[name] for name in cls.__dataclass_fields__.keys() - nested.keys()})

    def as_dict(self) -> dict[str, Any]:
        """Return the entries of metrics.json in their order."""
        entries: dict[str, Any] = {}
        for name, value in vars(self).items():
            if name == "origin":
                entries |= _origin_entries(value)
            elif name == "test":
                entries |= entries_of_test_split(value, self.importance_weighted)
            elif name != "importance_weighted":
                entries[name] = asdict(value) if isinstance(value, ImageCounts) else _json_value(value)
        return entries


def read_run_metrics(path: Path) -> RunMetrics:
    """Read a metrics.json of this or an earlier version.

    Raises: RunError: it is damaged.
    """
    try:
        return RunMetrics.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: is damaged ({error}); move its folder away, and retrain") from error


def read_history(path: Path) -> list[dict[str, float]]:
    """Read a metrics.csv: one row per epoch, the untrained model first."""
    rows = pd.read_csv(path).to_dict("records")
    return [{str(name): float(value) for name, value in row.items()} for row in rows]


def entries_of_test_split(test: SplitScores | None, weighted: ImportanceWeighted | None) -> dict[str, Any]:
    """Return the entries of metrics.json on the test split; each is None if the split was not scored."""
    return {
        **{f"test_{name}": _json_value(getattr(test, name)) if test else None for name in _TEST_SCORES},
        "test_importance_weighted": asdict(weighted) if weighted else None,
        "ppca_bpd": test.ppca_bpd if test else None,
        "codeless_bpd": test.codeless_bpd if test else None,
    }


def _json_value(value: Any) -> Any:
    """Return a list for a tuple, and null for infinity, which JSON does not have: the PSNR of exact reconstructions."""
    if isinstance(value, tuple):
        return list(value)
    return None if value == math.inf else value


def _origin_entries(origin: TrialOrigin | None) -> dict[str, Any]:
    if origin is None:
        return {"study": None, "trial": None}
    return {
        "study": origin.study,
        "trial": origin.trial,
        "trial_val_bpd": origin.val_bpd,
        "trial_epochs": origin.epochs,
        "trial_expected_bpd": origin.expected_bpd,
        "trial_expected_deviation": origin.expected_deviation,
    }


def _read_test(entries: Mapping[str, Any]) -> SplitScores | None:
    if entries["test_bpd"] is None:
        return None
    scores = {name: entries[f"test_{name}"] for name in _TEST_SCORES if name not in ("psnr_db", "bpd_interval")}
    baselines = {"ppca_bpd": entries["ppca_bpd"], "codeless_bpd": entries.get("codeless_bpd")}
    return SplitScores(**scores, **baselines, bpd_interval=_interval(entries, "test"))


def _interval(entries: Mapping[str, Any], split: str) -> tuple[float, float] | None:
    interval = entries.get(f"{split}_bpd_interval")
    return tuple(interval) if interval else None


def _read_importance_weighted(entries: Mapping[str, Any]) -> ImportanceWeighted | None:
    bound = entries["test_importance_weighted"]
    return ImportanceWeighted(**bound) if bound else None
