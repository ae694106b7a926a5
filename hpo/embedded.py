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


def embedded(path: Path) -> Picture | None:
    """The picture in a file; None where there is no such file."""
    if not path.exists():
        return None
    with Image.open(path) as image:
        uri = _data_uri(path.read_bytes(), Image.MIME[str(image.format)])
        return Picture(uri, *image.size, _still(image))


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
