"""Bundled sample of CIFAR-10: sheets of tiles in lossless WebP, and an index with their labels."""

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model.data.images import ImageData
from model.data.locations import IS_CHECKOUT, SAMPLE_FOLDER
from model.data.splits import labelled_images, with_validation_split
from model.errors import DataError

_REMEDY = "restore the folder (git checkout -- data/sample)" if IS_CHECKOUT else "install the program again"


@dataclass(frozen=True)
class Sample:
    """Class names, and for each of `train` and `test` the pixels (N, 32, 32, 3) uint8 and labels (N,) int64."""

    class_names: tuple[str, ...]
    splits: dict[str, tuple[Any, Any]]


def load_sample() -> ImageData:
    """Load the bundled sample: 4,500 training, 500 validation and 1,000 test images of CIFAR-10. Needs no download.

    Returns: the three splits, each with equally many images of every class.

    Raises: DataError: a file of the sample is missing or damaged.

    Example:
        >>> data = model.load_sample()
        >>> len(data.train), len(data.validation), len(data.test)
        (4500, 500, 1000)
    """
    sample = read_sample(SAMPLE_FOLDER)
    training, testing = (labelled_images(*sample.splits[name]) for name in ("train", "test"))
    return with_validation_split("sample", sample.class_names, training, testing)


def read_sample(folder: Path) -> Sample:
    """Read the sample in `folder` and verify its checksums.

    Raises: DataError: a file is missing, or the labels or pixels differ from the original ones.
    """
    try:
        metadata = json.loads((folder / "sample.json").read_text())
        with (folder / "index.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        sheets = {name: _tiles(folder / name, metadata["tile_px"]) for name in {row["sheet"] for row in rows}}
        splits = {name: _split(name, rows, sheets) for name in metadata["sha256"]}
    except (OSError, KeyError, ValueError, IndexError, SyntaxError, TypeError) as error:
        raise DataError(f"{folder}: the bundled sample cannot be read ({error}); {_REMEDY}") from error
    index_digest = hashlib.sha256((folder / "index.csv").read_bytes()).hexdigest()
    if index_digest != metadata["index_sha256"]:
        raise DataError(f"{folder}: index.csv differs from the original one; {_REMEDY}")
    for name, (pixels, _) in splits.items():
        if hashlib.sha256(pixels.tobytes()).hexdigest() != metadata["sha256"][name]:
            raise DataError(f"{folder}: the {name} images differ from the original ones; {_REMEDY}")
    return Sample(tuple(metadata["classes"]), splits)


def _tiles(path: Path, size: int) -> Any:
    """Cut a sheet into its tiles, row by row, shape (N, size, size, 3)."""
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    n_rows, n_columns = pixels.shape[0] // size, pixels.shape[1] // size
    grid = pixels.reshape(n_rows, size, n_columns, size, 3)
    return grid.swapaxes(1, 2).reshape(-1, size, size, 3)


def _split(name: str, rows: list[dict[str, str]], sheets: dict[str, Any]) -> tuple[Any, Any]:
    """Collect the pixels and labels of one split in the order of the index."""
    members = [row for row in rows if row["split"] == name]
    pixels = np.stack([sheets[row["sheet"]][int(row["tile"])] for row in members])
    return pixels, np.array([int(row["label"]) for row in members], dtype=np.int64)
