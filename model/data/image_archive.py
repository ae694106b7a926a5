"""A data set as one file, which machines without its original files load: the splits' pixels and labels."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from model.atomic_files import replacing
from model.data.images import ImageData
from model.data.splits import assemble, labelled_images
from model.errors import DataError

_SPLITS = ("train", "validation", "test")


def write_archive(path: Path, data: ImageData) -> None:
    """Write the splits of a data set, atomically."""
    splits = {name: getattr(data, name) for name in _SPLITS}
    arrays = {f"{name}_pixels": split.pixels for name, split in splits.items()}
    arrays |= {f"{name}_labels": split.labels.numpy() for name, split in splits.items()}
    with replacing(path) as temporary:
        np.savez(temporary, source=data.source, class_names=np.array(data.class_names), **arrays)


def read_archive(path: Path) -> ImageData:
    """Read the splits of a data set; the digest is computed from what was read.

    Raises: DataError: the file is no such archive.
    """
    try:
        with np.load(path) as arrays:
            splits = [labelled_images(arrays[f"{name}_pixels"], arrays[f"{name}_labels"]) for name in _SPLITS]
            return assemble(str(arrays["source"]), tuple(map(str, arrays["class_names"])), *splits)  # type: ignore[arg-type]
    except (BadZipFile, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{path}: is no archive of images ({error})") from None
