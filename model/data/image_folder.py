"""Image folders: a user's own images, read as small squares in RGB or grey."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.config import IMAGE_SHAPE, ImageShape
from model.data.folder_listing import list_images
from model.data.image_file import UnreadableImage, read_image, readable_suffixes
from model.data.images import ImageData
from model.data.splits import VALIDATION_SHARE, assemble, labelled_images, split_evenly
from model.errors import DataError
from model.printable import printable

# With fewer images, a tenth for validation and a tenth for testing are too few for a score.
MIN_IMAGES = 100
# Images to name in the message about those that cannot be read.
_N_NAMED = 5


def load_folder(root: str | Path, image_size: int = 32, image_channels: int = 3) -> ImageData:
    """Load a folder of images, resized and cropped to a square, split 80 / 10 / 10 within every class.

    Args:
        root: folder of at least 100 images. Its first level of subfolders names the classes; without subfolders all
            images belong to one class.
        image_size: side of the square in pixels.
        image_channels: 3 for RGB, 1 for grey; coloured images become grey, and grey ones RGB.

    Returns: the three splits.

    Raises: DataError: the folder does not exist, holds too few images, or holds corrupt ones.

    Example:
        >>> data = model.load_folder("my_images")
        >>> data.class_names
        ('cats', 'dogs')
    """
    folder = read_folder(Path(root), (image_channels, image_size, image_size))
    rest, testing = split_evenly(labelled_images(folder.pixels, folder.labels), VALIDATION_SHARE)
    training, validation = split_evenly(rest, VALIDATION_SHARE / (1 - VALIDATION_SHARE))
    return replace(assemble("folder", folder.class_names, training, validation, testing), reading=folder.reading)


@dataclass(frozen=True)
class FolderImages:
    """Images of a folder: pixels (N, H, W, C) uint8, labels (N,) int64, names by label.

    `reading` says in one line how many files were read, and how many were left out and why.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    reading: str


def read_folder(root: Path, shape: ImageShape = IMAGE_SHAPE) -> FolderImages:
    """Read a folder's images. Each is turned upright, resized to cover the square, and cropped at the centre.

    Raises: DataError: no such folder, fewer than MIN_IMAGES images, or corrupt ones (the message names the first five).
    """
    if not root.is_dir():
        raise DataError(f"{printable(root)} is not a folder; name one that holds images")
    listing = list_images(root)
    n_images, left_out = len(listing.images), listing.describe_left_out()
    if n_images < MIN_IMAGES:
        raise DataError(
            f"{printable(root)} holds {n_images} images ({', '.join(sorted(readable_suffixes()))}), {left_out}; "
            f"at least {MIN_IMAGES} are needed"
        )
    classes = [listing.class_of(path) for path in listing.images]
    names = sorted(set(classes))
    labels = np.array([names.index(name) for name in classes], dtype=np.int64)
    n_classes = f"{len(names)} class{'es' if len(names) > 1 else ''}"
    reading = f"{printable(root)}: {n_images:,} images in {n_classes}; {left_out}"
    return FolderImages(_read_all(listing.images, shape), labels, tuple(names), reading)


def _read_all(paths: list[Path], shape: ImageShape) -> NDArray[np.uint8]:
    """Read all images, shape (N, H, W, C).

    Raises: DataError: naming the corrupt ones, after all have been read.
    """
    n_channels, height, width = shape
    pixels = np.empty((len(paths), height, width, n_channels), dtype=np.uint8)
    corrupt: list[str] = []
    for index, path in enumerate(paths):
        try:
            pixels[index] = read_image(path, shape)
        except UnreadableImage as error:
            corrupt.append(str(error))
    if corrupt:
        more = f" and {len(corrupt) - _N_NAMED} more" if len(corrupt) > _N_NAMED else ""
        raise DataError(f"cannot be read as images: {'; '.join(corrupt[:_N_NAMED])}{more}; fix or remove them")
    return pixels
