"""val_bpd against images and against seconds."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmarks.ablation.page import Measured
from hpo.figures.style import CYCLE, INK, new_figure, save_figure, style_axes


def draw(rows: Sequence[Measured], path: Path) -> None:
    """The rows from the tutorial's recipe to norm_free and the longer ones as lines, others as points at their end."""
    figure = new_figure("From the tutorial's recipe to norm_free: the same epochs, a lower score", 10.5, 6.4)
    panels = figure.subplots(1, 2, sharey=True)
    lines = [result for result in rows if result.row.part in ("way", "longer")]
    points = [result for result in rows if result.row.part == "change"]
    style_axes(panels[0], "", "images seen, thousands", "val_bpd, bits per dimension")
    style_axes(panels[1], "", "seconds of training", "")
    handles = [_draw_line(panels, result, index) for index, result in enumerate(lines)]
    for result in points:
        panels[1].plot(result.seconds, result.curve[-1][1], "o", ms=3.5, mfc="none", mec=INK, mew=0.8)
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    save_figure(figure, path)


def _draw_line(panels: Sequence[Axes], result: Measured, index: int) -> Line2D:
    # There are more lines than colours.
    style = "--" if result.row.part == "longer" else "-" if index < len(CYCLE) else "-."
    color = CYCLE[index % len(CYCLE)]
    images, scores = zip(*result.curve, strict=True)
    panels[0].plot([n / 1000 for n in images], scores, style, color=color, marker=".", label=result.row.name)
    seconds = [n / result.images_per_second for n in images]
    (line,) = panels[1].plot(seconds, scores, style, color=color, marker=".", label=result.row.name)
    return line
