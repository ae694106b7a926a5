"""The bundled sample of CIFAR-10: sheets of tiles in lossless WebP and an index of their labels."""

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model.data.images import ImageData
from model.data.splits import DATA_FOLDER, labelled_images, with_validation_split
from model.errors import DataError


def load_sample() -> ImageData:
    """The bundled sample: 4,500 / 500 / 1,000 images of CIFAR-10.

    Raises: DataError: its files are missing or damaged.
    """
    sample = read_sample(DATA_FOLDER / "sample")
    training, testing = (labelled_images(*sample.splits[name]) for name in ("train", "test"))
    return with_validation_split("sample", sample.class_names, training, testing)


_REMEDY = "restore the folder (git checkout -- data/sample)"


@dataclass(frozen=True)
class Sample:
    """Class names, and for each of `train` and `test` the pixels (N, 32, 32, 3) uint8 and labels (N,) int64."""

    class_names: tuple[str, ...]
    splits: dict[str, tuple[Any, Any]]


def read_sample(folder: Path) -> Sample:
    """Read and verify the sample.

    Raises: DataError: a file is missing, or the pixels are not those that were drawn.
    """
    try:
        facts = json.loads((folder / "sample.json").read_text())
        with (folder / "index.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        sheets = {name: _tiles(folder / name, facts["tile_px"]) for name in {row["sheet"] for row in rows}}
        splits = {name: _split(name, rows, sheets) for name in facts["sha256"]}
    except (OSError, KeyError, ValueError, IndexError, SyntaxError, TypeError) as error:
        raise DataError(f"{folder}: the bundled sample cannot be read ({error}); {_REMEDY}") from error
    index_digest = hashlib.sha256((folder / "index.csv").read_bytes()).hexdigest()
    if index_digest != facts["index_sha256"]:
        raise DataError(f"{folder}: index.csv is not the one that was written; {_REMEDY}")
    for name, (pixels, _) in splits.items():
        if hashlib.sha256(pixels.tobytes()).hexdigest() != facts["sha256"][name]:
            raise DataError(f"{folder}: the {name} images are not those that were drawn; {_REMEDY}")
    return Sample(tuple(facts["classes"]), splits)


def _tiles(path: Path, size: int) -> Any:
    """Cut a sheet into its tiles, row by row: (N, size, size, 3)."""
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    n_rows, n_columns = pixels.shape[0] // size, pixels.shape[1] // size
    grid = pixels.reshape(n_rows, size, n_columns, size, 3)
    return grid.swapaxes(1, 2).reshape(-1, size, size, 3)


def _split(name: str, rows: list[dict[str, str]], sheets: dict[str, Any]) -> tuple[Any, Any]:
    members = [row for row in rows if row["split"] == name]
    pixels = np.stack([sheets[row["sheet"]][int(row["tile"])] for row in members])
    return pixels, np.array([int(row["label"]) for row in members], dtype=np.int64)
