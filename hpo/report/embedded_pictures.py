"""Pictures as data URIs, so that a page contains them."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image, ImageSequence

from hpo.figures.style import as_svg

_POINTS_PER_INCH = 72
THUMBNAIL_WIDTH = 300


@dataclass(frozen=True)
class Picture:
    """Data URI and size in pixels of a picture; `still_uri` is the last frame of an animation."""

    uri: str
    width: int
    height: int
    still_uri: str | None = None

    @property
    def n_bytes(self) -> int:
        """Number of bytes that the picture adds to a page."""
        return len(self.uri) + len(self.still_uri or "")


def embedded(path: Path) -> Picture | None:
    """Read a picture file; None if the file does not exist.

    Raises: OSError: the file is not a picture, or truncated.
    """
    if not path.exists():
        return None
    with Image.open(path) as image:
        image.load()
        uri = _data_uri(path.read_bytes(), Image.MIME[str(image.format)])
        return Picture(uri, *image.size, _last_frame(image))


def thumbnail(path: Path, width: int = THUMBNAIL_WIDTH) -> Picture:
    """Read a picture file, scale it to at most `width` pixels, and encode it as WebP."""
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((width, 4 * width), Image.Resampling.BOX)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=70, method=1)
    return Picture(_data_uri(buffer.getvalue(), "image/webp"), *small.size)


def embedded_figure(figure: Figure) -> Picture:
    """Draw a figure as SVG."""
    width, height = (round(_POINTS_PER_INCH * inches) for inches in figure.get_size_inches())
    return Picture(_data_uri(as_svg(figure), "image/svg+xml"), width, height)


def _last_frame(image: Image.Image) -> str | None:
    """Return the last frame of an animation, for print and for readers who prefer reduced motion; None for a still."""
    if getattr(image, "n_frames", 1) == 1:
        return None
    *_, last = ImageSequence.Iterator(image)
    buffer = io.BytesIO()
    last.convert("RGB").save(buffer, "PNG", optimize=True)
    return _data_uri(buffer.getvalue(), "image/png")


def _data_uri(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
