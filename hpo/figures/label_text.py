"""Fonts of tile sheets, and the label of a row, which may hold names of the user's in any script."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
from PIL import ImageDraw, ImageFont

from hpo.figures.class_labels import label_pieces
from hpo.figures.style import MUTED

_LABEL_SIZE = 23


def label_width(label: str) -> int:
    """Return the room of a label with the gap behind it, in pixels; 0 without a label."""
    width = sum(font(_LABEL_SIZE, file=file).getlength(piece) for piece, file in label_pieces(label))
    return round(width) + 20 if label else 0


def write_label(draw: ImageDraw.ImageDraw, label: str, position: tuple[int, int]) -> None:
    """Write a row's label, which may hold a name of the user's in any script, centred on the position's height."""
    x, y = float(position[0]), position[1]
    for piece, file in label_pieces(label):
        face = font(_LABEL_SIZE, file=file)
        draw.text((x, y), piece, MUTED, face, anchor="lm")
        x += face.getlength(piece)


@cache
def font(size: int, *, bold: bool = False, file: Path | None = None) -> ImageFont.FreeTypeFont:
    """Load a font at `size` pixels: by default DejaVu Sans from matplotlib's own data, the same on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(file or Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)
