"""Style of every figure: colours, type and panels; and saving, atomically."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from matplotlib import rc_context, style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from PIL import Image

from hpo.figures.arrays import Pixels
from model.atomic_files import replacing

# Okabe & Ito 2008, "Color Universal Design": distinguishable with every common colour blindness.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#000000"
CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE, BLACK, YELLOW)
INK, MUTED, FAINT, PAPER = "#1F2328", "#59636E", "#DADFE4", "#FFFFFF"
DPI = 150
P = ParamSpec("P")
R = TypeVar("R")


def in_own_style(draw: Callable[P, R]) -> Callable[P, R]:
    """Let a function draw and save with matplotlib's defaults, whatever style or rc file a user has."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with style.context("default"):
            return draw(*args, **kwargs)

    return drawn


def new_figure(title: str, width_in: float, height_in: float) -> Figure:
    """Create an empty figure with a title; outside pyplot, so it needs no display and leaves no state."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12, wspace=0.04, hspace=0.04)
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, layout=layout, facecolor=PAPER)
    figure.suptitle(title, x=0.012, ha="left", fontsize=16, fontweight="bold", color=INK)
    return figure


def style_axes(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    """Give a panel its title, its axis labels (with units) and a quiet frame."""
    axes.set_title(title, loc="left", fontsize=13, color=INK, pad=10)
    axes.set_xlabel(x_label, fontsize=12, color=MUTED)
    axes.set_ylabel(y_label, fontsize=12, color=MUTED)
    axes.tick_params(labelsize=11, colors=MUTED, length=0)
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)


def mark_values(axis: Axis, low: float, high: float, log: bool) -> None:
    """Mark a logarithmic axis at few round values in plain notation; leave a linear axis unchanged."""
    if not log:
        return
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    # From dense to sparse.
    mantissas = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
    candidates = ([factor * 10.0**power for power in powers for factor in factors] for factors in mantissas)
    inside = [[mark for mark in marks if low * 0.999 <= mark <= high * 1.001] for marks in candidates]
    # The numbers of more than five would run into each other.
    axis.set_major_locator(FixedLocator(next((marks for marks in inside if len(marks) <= 5), inside[-1])))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def legend_below(figure: Figure, entries: Sequence[Artist]) -> None:
    """Put the legend under the figure: inside a panel it would hide some marks."""
    figure.legend(handles=list(entries), loc="outside lower left", ncols=4, fontsize=12, frameon=False, labelcolor=INK)


def as_svg(figure: Figure) -> bytes:
    """Return the figure as SVG, the same bytes for the same content."""
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "figure"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as a picture file, atomically."""
    with replacing(path) as temporary:
        figure.savefig(temporary)


def save_pixels(pixels: Pixels, path: Path) -> None:
    """Write an (H, W, 3) array as a picture file, atomically."""
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary)
