"""Decodes one image file as a person sees it: upright, over white, scaled to 8 bits, a small square in RGB or grey."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib import import_module, util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, features

from model.config import IMAGE_SHAPE, ImageShape
from model.errors import DataError
from model.printable import printable

_ALWAYS_READ = frozenset({".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_HEIF_SUFFIXES = frozenset({".heic", ".heif"})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Ranges of samples whose type does not fix one: the smallest that holds an image's largest sample.
_FLOAT_RANGES, _INTEGER_RANGES = (1, 255, 65_535), (65_535, 2**31 - 1, 2**32 - 1)
# Numbers of the tags of a TIFF.
_BITS, _PHOTOMETRIC, _LARGEST, _SAMPLE_FORMAT = 258, 262, 281, 339


class UnreadableImage(DataError):
    """A file that cannot be decoded; the message names it."""


@cache
def readable_suffixes() -> frozenset[str]:
    """Return the suffixes, in lower case, of the files that this machine reads: .avif and .heic need a decoder."""
    suffixes = _ALWAYS_READ
    if features.check("avif"):
        suffixes |= {".avif"}
    if util.find_spec("pillow_heif"):
        import_module("pillow_heif").register_heif_opener()
        suffixes |= _HEIF_SUFFIXES
    return suffixes


def decoder_of(suffix: str) -> str | None:
    """Return the package whose installation makes files with `suffix` readable; None if there is none."""
    if suffix in readable_suffixes():
        return None
    return "pillow-heif" if suffix in _HEIF_SUFFIXES else "a Pillow with AVIF" if suffix == ".avif" else None


def read_image(path: Path, shape: ImageShape = IMAGE_SHAPE) -> NDArray[np.uint8]:
    """Read one image as an array (H, W, C), resized to cover the square and cropped at its centre.

    The first frame of an animated file is read. One channel is grey, as the luma of ITU-R 601.

    Args:
        path: its file.
        shape: (C, H, W), with C 3 for RGB or 1 for grey.

    Raises: UnreadableImage: it is damaged, or of a kind that is not read.
    """
    try:
        with _silent_decoders(), Image.open(path) as image:
            # First: the orientation of a PNG may follow its pixels, and that of a TIFF is applied here and removed.
            with _silent_libtiff() if image.format == "TIFF" else nullcontext():
                image.load()
            turn = _TURNS.get(_orientation(image))
            rgb = _as_rgb(image)
            n_channels, height, width = shape
            upright = rgb.transpose(turn) if turn is not None else rgb
            fitted = ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS)
            return np.asarray(fitted if n_channels == 3 else fitted.convert("L")).reshape(height, width, n_channels)
    # Decoders raise whatever their code meets in damaged bytes: 3,000 damaged files raised six types of exception.
    except Exception as error:
        reason = " ".join(printable(error, keep="\n").split()) or type(error).__name__
        raise UnreadableImage(f"{printable(path)} ({reason})") from error


@contextmanager
def _silent_decoders() -> Iterator[None]:
    """Keep warnings of decoders from the terminal: a file is either read or refused by name."""
    logger = logging.getLogger("PIL")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _silent_libtiff() -> Iterator[None]:
    """Drop what is written to the process's stderr: libtiff, a C library, prints its errors there."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _orientation(image: Image.Image) -> int:
    """Return the orientation of the EXIF block, 1 to 8; 1 (upright) if there is none.

    `ImageOps.exif_transpose` would also write the block again, and fails on photos with one tag of an odd type.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    # Viewers, too, show the pixels of a photo as they lie if its EXIF block cannot be parsed.
    except Exception:
        return 1
    return value if isinstance(value, int) else 1


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return _scaled_grey(image).convert("RGB")
    if image.mode != "P" and not image.has_transparency_data:
        return image.convert("RGB")
    # Before resizing: the colours under transparent pixels are arbitrary and would bleed into the edges.
    opaque = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque).convert("RGB")


def _scaled_grey(image: Image.Image) -> Image.Image:
    """Scale samples of more than 8 bits by their range, where `convert` would clip them at 255."""
    samples = np.asarray(image)
    tags: Any = getattr(image, "tag_v2", {})
    if image.mode == "F":
        largest = _range_of(float(samples.max()), _FLOAT_RANGES)
        grey = np.rint(samples.clip(0, largest).astype(np.float64) * (255 / largest)).astype(np.uint8)
    else:
        # Pillow reads unsigned 32-bit samples, of format 1, as signed ones.
        is_unsigned = image.mode == "I" and _first(tags.get(_SAMPLE_FORMAT)) == 1
        integers = samples.astype(np.int64) % 2**32 if is_unsigned else samples.astype(np.int64)
        largest = _integer_range(image, int(integers.max()), tags)
        grey = (integers.clip(0, largest) * 255 // largest).astype(np.uint8)
    transparent = samples == image.info["transparency"] if "transparency" in image.info else False
    is_white_zero = _first(tags.get(_PHOTOMETRIC)) == 0
    return Image.fromarray(np.where(transparent, np.uint8(255), 255 - grey if is_white_zero else grey))


def _integer_range(image: Image.Image, largest: int, tags: Any) -> int:
    """Return the sample that is white: as a TIFF says, else by its bits (12 or 16), else the range that holds all."""
    if (declared := _first(tags.get(_LARGEST))) and largest <= declared:
        return int(declared)
    bits = _first(tags.get(_BITS))
    if bits and bits < 16:
        return int(2**bits - 1)
    return 65_535 if image.mode.startswith("I;16") else int(_range_of(largest, _INTEGER_RANGES))


def _range_of(largest: float, ranges: tuple[int, ...]) -> int:
    """Return the smallest range that holds `largest`.

    Raises: ValueError: none does, or it is not a number.
    """
    for candidate in ranges:
        if largest <= candidate:
            return candidate
    raise ValueError(f"its largest sample is {largest:g}; must be a number of at most {ranges[-1]:,}")


def _first(value: Any) -> Any:
    """Return the first of the values of a TIFF's tag, which Pillow gives as a tuple or alone."""
    return value[0] if isinstance(value, tuple) and value else value
