"""Pictures as text, so that a page holds them itself: data URIs."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageSequence


@dataclass(frozen=True)
class Picture:
    """A picture as a page holds it: its data URI, its size in pixels, and of a film also the last frame."""

    uri: str
    width: int
    height: int
    still_uri: str | None = None

    @property
    def n_bytes(self) -> int:
        """What it adds to a page."""
        return len(self.uri) + len(self.still_uri or "")


def embedded(path: Path) -> Picture | None:
    """The picture in a file; None where there is no such file.

    Raises: OSError: it is no picture, or not a whole one.
    """
    if not path.exists():
        return None
    with Image.open(path) as image:
        image.load()
        uri = _data_uri(path.read_bytes(), Image.MIME[str(image.format)])
        return Picture(uri, *image.size, _still(image))


def thumbnail(path: Path, width: int) -> Picture:
    """A picture file, no wider than `width` pixels, as WebP."""
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((width, 4 * width), Image.Resampling.BOX)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=70, method=1)
    return Picture(_data_uri(buffer.getvalue(), "image/webp"), *small.size)


def embedded_svg(content: bytes, width: int, height: int) -> Picture:
    """A vector drawing of that size in pixels."""
    return Picture(_data_uri(content, "image/svg+xml"), width, height)


def _still(image: Image.Image) -> str | None:
    """The last frame of a film, where it is one: for paper, and for readers who want no motion."""
    if getattr(image, "n_frames", 1) == 1:
        return None
    *_, last = ImageSequence.Iterator(image)
    buffer = io.BytesIO()
    last.convert("RGB").save(buffer, "PNG", optimize=True)
    return _data_uri(buffer.getvalue(), "image/png")


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
