"""How every figure looks: colours, type, plot panels, and sheets of small images.

Legend: N images, H W pixels of one image, 3 colour channels (RGB, uint8, never stretched in contrast).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from model.atomic import replacing

Pixels = NDArray[np.uint8]

# Okabe & Ito 2008, "Color Universal Design": distinguishable with every common colour blindness.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#000000"
CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE, BLACK, YELLOW)
INK, MUTED, FAINT, PAPER = "#1F2328", "#59636E", "#DADFE4", "#FFFFFF"

DPI = 150
_MARGIN, _LABEL_SIZE, _TITLE_SIZE, _CAPTION_SIZE = 28, 23, 28, 24
# Room for the longest caption: frames of one film must not differ in width because their captions do.
_LEAST_TEXT_WIDTH = 720


def new_figure(title: str, width_in: float, height_in: float) -> Figure:
    """An empty figure with the house's title; outside pyplot, so it needs no display and leaves no state."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12, wspace=0.04, hspace=0.04)
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, layout=layout, facecolor=PAPER)
    figure.suptitle(title, x=0.012, ha="left", fontsize=16, fontweight="bold", color=INK)
    return figure


def dress(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    """Give a panel its title, its axis labels (with units) and the house's quiet frame."""
    axes.set_title(title, loc="left", fontsize=13, color=INK, pad=10)
    axes.set_xlabel(x_label, fontsize=12, color=MUTED)
    axes.set_ylabel(y_label, fontsize=12, color=MUTED)
    axes.tick_params(labelsize=11, colors=MUTED, length=0)
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as a picture file, whole or not at all."""
    with replacing(path) as temporary:
        figure.savefig(temporary)


def save_pixels(pixels: Pixels, path: Path) -> None:
    """Write an (H, W, 3) array as a picture file, whole or not at all."""
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary)


def check_images(images: Pixels) -> None:
    """Raises: ValueError: images are not uint8 of shape (N, H, W, 3) with N >= 1."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or len(images) == 0:
        raise ValueError(f"images must be uint8 of shape (N, H, W, 3), but got {images.dtype} {images.shape}")


def strip(images: Pixels, scale: int, gap: int) -> Pixels:
    """Images (N, H, W, 3) side by side, each pixel a square of `scale`, `gap` pixels of paper between."""
    enlarged = images.repeat(scale, axis=1).repeat(scale, axis=2)
    spaced = np.pad(enlarged, ((0, 0), (0, 0), (0, gap), (0, 0)), constant_values=255)
    joined = np.concatenate(list(spaced), axis=1)
    return joined[:, : joined.shape[1] - gap]


@dataclass(frozen=True, eq=False)
class TileRow:
    """One row of a sheet: images (N, H, W, 3), what they are, and whether a new group begins here."""

    images: Pixels
    label: str = ""
    starts_group: bool = False


def sheet(
    rows: Sequence[TileRow], scale: int, *, title: str = "", caption: str = "", progress: float | None = None
) -> Pixels:
    """Rows of tiles under a title and above a caption: RGB (H, W, 3), height and width even.

    `progress` in [0, 1] draws a thin bar under the caption. What changes from frame to frame of an
    animation (caption, bar) lies below the tiles: a GIF then stores no unchanged row twice.
    """
    gap = 2 * scale
    strips = [strip(row.images, scale, gap) for row in rows]
    left = _MARGIN + max(_label_width(row.label) for row in rows)
    tops, bottom = _row_positions(rows, strips, gap, start=_MARGIN + (_TITLE_SIZE + 22 if title else 0))
    text_width = _LEAST_TEXT_WIDTH if title or caption else 0
    right = left + max(text_width, *(one.shape[1] for one in strips))
    height = bottom + (18 + _CAPTION_SIZE if caption else 0) + (18 if progress is not None else 0) + _MARGIN
    canvas = Image.new("RGB", _even(right + _MARGIN, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    for row, one, top in zip(rows, strips, tops, strict=True):
        canvas.paste(Image.fromarray(one), (left, top))
        draw.text((_MARGIN, top + one.shape[0] // 2), row.label, MUTED, _font(_LABEL_SIZE), anchor="lm")
    _write_line(draw, title, (_MARGIN, _MARGIN), right - _MARGIN, _TITLE_SIZE, bold=True)
    _write_line(draw, caption, (left, bottom + 18), right - left, _CAPTION_SIZE)
    if progress is not None:
        _draw_bar(draw, (left, height - _MARGIN - 4, right, height - _MARGIN), progress)
    return np.asarray(canvas)


def _row_positions(rows: Sequence[TileRow], strips: Sequence[Pixels], gap: int, start: int) -> tuple[list[int], int]:
    """Top of every row, and the bottom of the last, in pixels."""
    tops: list[int] = []
    bottom = start
    for row, one in zip(rows, strips, strict=True):
        space = 0 if not tops else 4 * gap if row.starts_group else gap
        tops.append(bottom + space)
        bottom = tops[-1] + one.shape[0]
    return tops, bottom


def _write_line(
    draw: ImageDraw.ImageDraw, text: str, at: tuple[int, int], width: int, size: int, *, bold: bool = False
) -> None:
    """One line of text, in smaller type where it would not fit the width."""
    while size > 10 and _font(size, bold=bold).getlength(text) > width:
        size -= 1
    draw.text(at, text, INK, _font(size, bold=bold), anchor="la")


def _draw_bar(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], progress: float) -> None:
    left, top, right, bottom = box
    draw.rectangle((left, top, right - 1, bottom - 1), FAINT)
    if progress > 0:
        draw.rectangle((left, top, left + round((right - left) * min(progress, 1.0)) - 1, bottom - 1), BLUE)


def _label_width(label: str) -> int:
    return round(_font(_LABEL_SIZE).getlength(label)) + 20 if label else 0


def _even(width: int, height: int) -> tuple[int, int]:
    """Rounded up to even numbers: H.264 in yuv420p knows no others."""
    return width + width % 2, height + height % 2


@cache
def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans at `size` pixels, from matplotlib's own data: the same on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)
