"""Sheets of small images: rows of tiles, every pixel a square, with title, captions and notes.

Legend: N images, H W pixels of one image, 3 colour channels (RGB, uint8, never stretched in contrast).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hpo.figures.arrays import Pixels
from hpo.figures.label_text import font, label_width, write_label
from hpo.figures.style import BLUE, FAINT, INK, MUTED, PAPER, save_pixels

_MARGIN, _TITLE_SIZE, _CAPTION_SIZE = 28, 28, 24
_HEADING_SIZE, _HEADING_HEIGHT = 23, 40
_TILE_TEXT_SIZE, _TILE_TEXT_HEIGHT = 21, 30
_NOTE_SIZE, _NOTE_HEIGHT = 23, 32
_USUAL_SIDE = 32
# Room for the longest caption: all frames of an animation must have one width, however long their captions are.
_LEAST_TEXT_WIDTH = 720


@dataclass(frozen=True, eq=False)
class TileRow:
    """Row of a sheet: images (N, H, W, 3), their label, and the texts around them.

    `headings` are (column, text) and stand above the row; `above` and `below` have one text per image, centred
    on it. The images begin at `first_column`; a wide gap lies before each column in `breaks`.
    """

    images: Pixels
    label: str = ""
    starts_group: bool = False
    headings: tuple[tuple[int, str], ...] = ()
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    first_column: int = 0
    breaks: tuple[int, ...] = ()

    def __eq__(self, other: object) -> bool:
        """Return True if every pixel and every text is equal."""
        if not isinstance(other, TileRow):
            return NotImplemented
        texts = [field.name for field in fields(self) if field.name != "images"]
        same_texts = all(getattr(self, name) == getattr(other, name) for name in texts)
        return same_texts and np.array_equal(self.images, other.images)


@dataclass(frozen=True)
class Sheet:
    """Content of a picture of tiles: rows under a title and above a note; `scale` as in `tile_scale`."""

    rows: tuple[TileRow, ...]
    title: str
    note: str
    scale: int


@dataclass(frozen=True)
class _PositionedRow:
    """Vertical position of a row in pixels: headings from `top`, images from `tiles`, everything above `bottom`."""

    row: TileRow
    top: int
    tiles: int
    bottom: int


def save_sheet(sheet: Sheet, path: Path) -> None:
    """Draw the sheet into a picture file."""
    save_pixels(draw_sheet(sheet.rows, sheet.scale, title=sheet.title, note=sheet.note), path)


def draw_sheet(
    rows: Sequence[TileRow],
    scale: int,
    *,
    title: str = "",
    caption: str = "",
    note: str = "",
    progress: float | None = None,
) -> Pixels:
    """Draw rows of tiles under a title, above a caption (one line) or a note (wrapped): RGB (H, W, 3), even sides.

    `progress` in [0, 1] draws a thin bar under the caption. What changes from frame to frame of an
    animation (caption, bar) lies below the tiles: a GIF then stores no unchanged row twice.
    """
    scale = tile_scale(rows[0].images, scale)
    left = _MARGIN + max(label_width(row.label) for row in rows)
    positioned = list(_positioned(rows, scale, start=_MARGIN + (_TITLE_SIZE + 22 if title else 0)))
    bottom = positioned[-1].bottom
    right = left + max(_LEAST_TEXT_WIDTH if title or caption else 0, *(_row_width(row, scale) for row in rows))
    lines = wrapped_lines(note, right - _MARGIN)
    text_height = (18 + _CAPTION_SIZE if caption else 0) + (18 + _NOTE_HEIGHT * len(lines) if lines else 0)
    height = bottom + text_height + (18 if progress is not None else 0) + _MARGIN
    canvas = Image.new("RGB", _even(right + _MARGIN, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    for row in positioned:
        _draw_row(canvas, draw, row, left, scale)
    _write_line(draw, title, (_MARGIN, _MARGIN), right - _MARGIN, _TITLE_SIZE, bold=True)
    _write_line(draw, caption, (left, bottom + 18), right - left, _CAPTION_SIZE)
    for index, line in enumerate(lines):
        draw.text((_MARGIN, bottom + 24 + _NOTE_HEIGHT * index), line, INK, font(_NOTE_SIZE), anchor="la")
    if progress is not None:
        _draw_bar(draw, (left, height - _MARGIN - 4, right, height - _MARGIN), progress)
    return np.asarray(canvas)


def tile_scale(images: Pixels, scale: int) -> int:
    """Return the side of a pixel's square: `scale`, and less for images of more than 32 pixels, whose tiles then have
    about the size of others.
    """
    return max(1, round(scale * _USUAL_SIDE / max(_USUAL_SIDE, int(images.shape[2]))))


def joined_tiles(images: Pixels, scale: int, gap: int) -> Pixels:
    """Join images (N, H, W, 3) side by side, each pixel a square of `scale`, with `gap` white pixels between."""
    enlarged = images.repeat(scale, axis=1).repeat(scale, axis=2)
    spaced = np.pad(enlarged, ((0, 0), (0, 0), (0, gap), (0, 0)), constant_values=255)
    joined = np.concatenate(list(spaced), axis=1)
    return joined[:, : joined.shape[1] - gap]


def wrapped_lines(text: str, width: int) -> list[str]:
    """Split text into lines that fit `width` pixels in the font of notes."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(_NOTE_SIZE).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _positioned(rows: Sequence[TileRow], scale: int, start: int) -> Iterator[_PositionedRow]:
    gap, bottom = 2 * scale, start
    for index, row in enumerate(rows):
        top = bottom + (0 if index == 0 else 4 * gap if row.starts_group else gap)
        tiles = top + (_HEADING_HEIGHT if row.headings else 0) + (_TILE_TEXT_HEIGHT if row.above else 0)
        bottom = tiles + row.images.shape[1] * scale + (_TILE_TEXT_HEIGHT if row.below else 0)
        yield _PositionedRow(row, top, tiles, bottom)


def _column(row: TileRow, scale: int, column: int) -> int:
    """Offset of a column's tiles from the first column, in pixels."""
    gap, width = 2 * scale, int(row.images.shape[2]) * scale
    return column * (width + gap) + sum(start <= column for start in row.breaks) * 3 * gap


def _row_width(row: TileRow, scale: int) -> int:
    tiles = _column(row, scale, row.first_column + len(row.images) - 1) + int(row.images.shape[2]) * scale
    face = font(_HEADING_SIZE, bold=True)
    return max(tiles, *(_column(row, scale, column) + round(face.getlength(text)) for column, text in row.headings), 0)


def _draw_row(canvas: Image.Image, draw: ImageDraw.ImageDraw, position: _PositionedRow, left: int, scale: int) -> None:
    row, height, width = position.row, *(side * scale for side in position.row.images.shape[1:3])
    first, end = row.first_column, row.first_column + len(row.images)
    for start, stop in pairwise([first, *(column for column in row.breaks if first < column < end), end]):
        joined = joined_tiles(row.images[start - first : stop - first], scale, 2 * scale)
        canvas.paste(Image.fromarray(joined), (left + _column(row, scale, start), position.tiles))
    write_label(draw, row.label, (_MARGIN, position.tiles + height // 2))
    for column, text in row.headings:
        draw.text(
            (left + _column(row, scale, column), position.top), text, INK, font(_HEADING_SIZE, bold=True), anchor="la"
        )
    for texts, y, anchor in ((row.above, position.tiles - 5, "md"), (row.below, position.tiles + height + 5, "ma")):
        for index, text in enumerate(texts):
            middle = left + _column(row, scale, first + index) + width // 2
            draw.text((middle, y), text, MUTED, font(_TILE_TEXT_SIZE), anchor=anchor)


def _write_line(
    draw: ImageDraw.ImageDraw, text: str, position: tuple[int, int], width: int, size: int, *, bold: bool = False
) -> None:
    """Write one line of text, in smaller type if it does not fit the width."""
    fitting = (smaller for smaller in range(size, 10, -1) if font(smaller, bold=bold).getlength(text) <= width)
    draw.text(position, text, INK, font(next(fitting, 10), bold=bold), anchor="la")


def _draw_bar(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], progress: float) -> None:
    left, top, right, bottom = box
    draw.rectangle((left, top, right - 1, bottom - 1), FAINT)
    if progress > 0:
        draw.rectangle((left, top, left + round((right - left) * min(progress, 1.0)) - 1, bottom - 1), BLUE)


def _even(width: int, height: int) -> tuple[int, int]:
    """Round both sides up to even numbers, as H.264 in yuv420p requires."""
    return width + width % 2, height + height % 2
