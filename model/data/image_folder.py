"""Image folders: a user's own images, read as 32x32 RGB."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from model.data.images import ImageData
from model.data.splits import VALIDATION_SHARE, assemble, labelled_images, split_evenly
from model.errors import DataError

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
# With fewer images, a tenth for validation and a tenth for testing are too few for a score.
MIN_IMAGES = 100
SIZE = (32, 32)


def load_folder(root: str | Path) -> ImageData:
    """Load a folder of images, resized and cropped to 32x32 RGB, split 80 / 10 / 10 within every class.

    Args:
        root: folder of at least 100 images. Its first level of subfolders names the classes; without subfolders all
            images belong to one class.

    Returns: the three splits.

    Raises: DataError: the folder does not exist, holds too few images, or holds corrupt ones.

    Example:
        >>> data = model.load_folder("my_images")
        >>> data.class_names
        ('cats', 'dogs')
    """
    pixels, labels, class_names = read_folder(Path(root))
    rest, testing = split_evenly(labelled_images(pixels, labels), VALIDATION_SHARE)
    training, validation = split_evenly(rest, VALIDATION_SHARE / (1 - VALIDATION_SHARE))
    return assemble("folder", class_names, training, validation, testing)


def read_folder(root: Path) -> tuple[Any, Any, tuple[str, ...]]:
    """Read a folder's images; return pixels (N, 32, 32, 3) uint8, labels (N,) int64 and class names.

    Each image is turned upright by its EXIF tag, resized to cover the square, and cropped at the centre. Hidden files
    and files without an image's suffix are ignored.

    Raises: DataError: no such folder, fewer than MIN_IMAGES images, or corrupt ones (the message names the first five).
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; name one that holds images")
    paths = sorted(path for path in root.rglob("*") if _is_image(path.relative_to(root), path))
    if len(paths) < MIN_IMAGES:
        raise DataError(
            f"{root} holds {len(paths)} images ({', '.join(sorted(IMAGE_SUFFIXES))}); at least {MIN_IMAGES} are needed"
        )
    classes = [_class_of(path.relative_to(root)) for path in paths]
    names = sorted(set(classes))
    labels = np.array([names.index(name) for name in classes], dtype=np.int64)
    return _read_all(paths), labels, tuple(names)


def _is_image(relative: Path, path: Path) -> bool:
    hidden = any(part.startswith(".") for part in relative.parts)
    return not hidden and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _class_of(relative: Path) -> str:
    return relative.parts[0] if len(relative.parts) > 1 else "images"


def _read_all(paths: list[Path]) -> Any:
    """Read all images, shape (N, 32, 32, 3).

    Raises: DataError: naming the corrupt ones, after all have been read.
    """
    pixels = np.empty((len(paths), *SIZE, 3), dtype=np.uint8)
    corrupt: list[str] = []
    for index, path in enumerate(paths):
        try:
            pixels[index] = _read_image(path)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            corrupt.append(f"{path} ({error})")
    if corrupt:
        more = f" and {len(corrupt) - 5} more" if len(corrupt) > 5 else ""
        raise DataError(f"cannot be read as images: {'; '.join(corrupt[:5])}{more}; fix or remove them")
    return pixels


def _read_image(path: Path) -> Any:
    """Read one image as 32x32 RGB, shape (32, 32, 3)."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):
            # 16 bits per pixel: scale them, since convert() would clip at 255.
            upright = Image.fromarray((np.asarray(upright, dtype=np.int64).clip(0, 65535) // 257).astype(np.uint8))
        return np.asarray(ImageOps.fit(upright.convert("RGB"), SIZE, Image.Resampling.LANCZOS))
