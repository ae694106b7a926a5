"""Figure of a map of posterior means: points by class, and the images themselves.

Legend: N points, images (N, H, W, 3) uint8.
"""

from __future__ import annotations

import math
import textwrap
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from hpo.figures.arrays import Pixels
from hpo.figures.class_labels import label_entries
from hpo.figures.run.latent_map_data import N_CELLS, LatentMap
from hpo.figures.style import DPI, INK, MUTED, PAPER, in_own_style, new_figure, save_figure, style_axes
from hpo.figures.tile_sheet import joined_tiles, tile_scale

_SCALE, _CELL_GAP = 2, 2
# Pixels: margins around and between the two panels and above them (titles); from the panels down to legend and, with
# two lines of it, caption; height of a line.
_MARGIN, _LEFT, _BETWEEN, _RIGHT, _ABOVE = 30, 130, 60, 40, 140
_TO_LEGEND, _TO_CAPTION, _LINE = 80, 220, 36
# Width of a character of the caption, on average.
_CHARACTER = 13.75
_LEGEND_COLUMNS = 5


@in_own_style
def draw_latent_map(data: LatentMap, images: Pixels, path: Path) -> None:
    """Draw points by class and, on the same plane, the images (N, H, W, 3) themselves, every pixel a square."""
    tiles = mosaic(data, images)
    panel = len(tiles)
    width = _LEFT + _BETWEEN + _RIGHT + 2 * panel
    lines = textwrap.wrap(data.caption, int(width / _CHARACTER))
    to_caption = _TO_CAPTION + _LINE * max(0, math.ceil(len(data.classes) / _LEGEND_COLUMNS) - 2)
    below = to_caption + _LINE * len(lines) + _MARGIN
    height = _ABOVE + panel + below
    figure = new_figure(data.title, width / DPI, height / DPI)
    figure.set_layout_engine("none")
    figure.texts[0].set_position((_MARGIN / width, 1 - _MARGIN / height))
    lefts = (_LEFT, _LEFT + panel + _BETWEEN)
    points, pictures = (
        figure.add_axes((left / width, below / height, panel / width, panel / height)) for left in lefts
    )
    n_points = sum(len(group.points) for group in data.classes)
    style_axes(points, f"Each point one of {n_points:,} images, by class", *data.axis_labels)
    style_axes(pictures, f"The same plane, with {len(data.thumbnails)} of the images", data.axis_labels[0], "")
    for axes in (points, pictures):
        axes.set(xlim=data.limits[:2], ylim=data.limits[2:])
        if not data.has_ticks:
            axes.set(xticks=[], yticks=[])
    pictures.grid(False)
    pictures.set_yticks([])
    _draw_points(points, data, legend_y=-_TO_LEGEND / panel)
    # Directly onto the canvas: an image drawn into axes would be resampled.
    figure.figimage(tiles, lefts[1], below, origin="upper", zorder=3)
    position = (_MARGIN / width, (below - to_caption) / height)
    figure.text(*position, "\n".join(lines), fontsize=12, color=INK, va="top", linespacing=1.4)
    save_figure(figure, path)


def mosaic(data: LatentMap, images: Pixels) -> Pixels:
    """Place the thumbnails in their cells on a white square, RGB (S, S, 3)."""
    scale = tile_scale(images, _SCALE)
    side = images.shape[1] * scale
    cell = side + _CELL_GAP
    canvas = np.full((N_CELLS * cell, N_CELLS * cell, 3), 255, np.uint8)
    for thumbnail in data.thumbnails:
        top, left = (index * cell + _CELL_GAP // 2 for index in (thumbnail.row, thumbnail.column))
        canvas[top : top + side, left : left + side] = joined_tiles(
            images[thumbnail.index : thumbnail.index + 1], scale, 0
        )
    return canvas


def _draw_points(axes: Axes, data: LatentMap, legend_y: float) -> None:
    # A tenth of each class at a time, or the last class would cover all others.
    for part, group in product(range(10), data.classes):
        x, y = np.array(group.points[part::10]).reshape(-1, 2).T
        axes.scatter(x, y, s=16, c=group.colour, marker=group.marker, alpha=0.5, linewidths=0)
    means = []
    for group in data.classes:
        x, y = np.array(group.points).mean(axis=0)
        look: dict[str, Any] = {"c": group.colour, "marker": group.marker, "ec": PAPER, "linewidths": 1.6}
        means.append(axes.scatter(x, y, s=200, zorder=4, **look))
    legend = axes.legend(
        means,
        ["class"] * len(means),
        title="large markers: the mean of a class",
        loc="upper center",
        bbox_to_anchor=(0.5, legend_y),
        ncols=_LEGEND_COLUMNS,
        fontsize=11.5,
        title_fontsize=11.5,
        frameon=False,
        borderpad=0,
        labelcolor=INK,
    )
    label_entries(legend, [group.name for group in data.classes])
    legend.get_title().set_color(MUTED)
