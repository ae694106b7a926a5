"""A study in three figures: its scores in order, its learning curves, and which hyperparameters mattered."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hpo.best import Best
from hpo.figures.study_data import History, Learning, Line, Points
from hpo.figures.style import BLUE, INK, MUTED, ORANGE, PAPER, SKY, VERMILLION, dress, legend_below, new_figure

BITS = "val_bpd, bits/dim"
FAULTY = "diverged or failed"
# With more lines than this a drawing in vectors would weigh megabytes.
MAX_VECTOR_LINES = 300


def history(data: History) -> Figure:
    """Every trial's score by number, the lowest so far as a step line, and a ring around the best."""
    figure = new_figure(_history_headline(data), width_in=13, height_in=6.4)
    axes = figure.subplots()
    dress(axes, "lower is better", "trial", BITS)
    cut_off(axes, data.ceiling)
    scatter(axes, data.finished, data.ceiling, "finished", marker="o", s=55, color=BLUE, edgecolors=PAPER, zorder=3)
    scatter(axes, data.pruned, data.ceiling, "pruned, at its last report", marker="x", s=45, color=VERMILLION)
    scatter(axes, data.faulty, data.ceiling, FAULTY, marker="s", s=40, facecolors="none", edgecolors=MUTED)
    if data.best:
        _draw_best_so_far(axes, data)
        _ring(axes, data.best)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return figure


def learning_curves(data: Learning) -> Figure:
    """Every trial's score over its epochs; a cross ends those that were pruned."""
    figure = new_figure(_learning_headline(data), width_in=13, height_in=7.4)
    axes = figure.subplots()
    dress(axes, "lower is better; each trial from its first report", "epoch", BITS)
    best = data.best.number if data.best else None
    for line in data.lines:
        _draw_line(axes, line, is_best=line.number == best, flat=len(data.lines) > MAX_VECTOR_LINES)
    cut_off(axes, data.ceiling)
    axes.set_xlim(left=0)
    looks = {"finished": (SKY, "-", ""), "pruned": (ORANGE, "-", "x"), FAULTY: (MUTED, ":", "")}
    kinds = {line.kind if line.kind in looks else "" if line.kind == "running" else FAULTY for line in data.lines}
    entries = [
        Line2D([], [], color=colour, ls=style, marker=mark, mec=VERMILLION, mew=2, label=kind)
        for kind, (colour, style, mark) in looks.items()
        if kind in kinds
    ]
    if "" in kinds:
        entries.append(Line2D([], [], color=INK, ls="--", lw=1, label="under way"))
    if data.best is not None:
        entries.insert(0, Line2D([], [], color=BLUE, lw=3, label=data.best.label))
    legend_below(figure, entries)
    return figure


def importances(shares: dict[str, float], n_top: int, n_finished: int) -> Figure:
    """Bars, the largest on top; shares add up to one."""
    names = sorted(shares, key=lambda name: shares[name])
    title = f"{label(names[-1])[0].upper()}{label(names[-1])[1:]} sets the best {n_top} of {n_finished} apart most"
    figure = new_figure(title, width_in=13, height_in=1.7 + 0.55 * len(names))
    axes = figure.subplots()
    dress(axes, "", "share of importance, %", "")
    axes.barh([label(name) for name in names], [100 * shares[name] for name in names], color=BLUE, height=0.6)
    for place, name in enumerate(names):
        axes.annotate(
            f"{100 * shares[name]:.0f} %",
            (100 * shares[name], place),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=12,
            color=INK,
        )
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", labelsize=13, labelcolor=INK)
    axes.set_xlim(0, 115 * max(shares.values()))
    return figure


def label(name: str) -> str:
    """A hyperparameter's name as people read it."""
    return {"beta": "β", "latent_dim": "latent dimension"}.get(name, name.replace("_", " "))


def cut_off(axes: Axes, ceiling: float | None) -> None:
    """End the scores' axis at the ceiling, where there is one."""
    if ceiling is not None:
        axes.set_ylim(top=ceiling)


def scatter(axes: Axes, points: Points, ceiling: float | None, name: str, **look: Any) -> None:
    """Trials as marks; one above the ceiling is drawn on it, which its legend tells."""
    if not points.numbers:
        return
    heights = [score if ceiling is None else min(score, ceiling) for score in points.scores]
    n_above = sum(ceiling is not None and score > ceiling for score in points.scores)
    above = f" ({n_above} beyond the upper edge)" if n_above else ""
    axes.scatter(points.places, heights, label=f"{name}{above}", clip_on=False, **look)


def _history_headline(data: History) -> str:
    counts = f"{len(data.finished.numbers)} trials finished, {len(data.pruned.numbers)} pruned"
    if not data.best:
        return f"No trial has finished yet: {len(data.pruned.numbers)} pruned, {len(data.faulty.numbers)} faulty"
    return f"{data.best.label[0].upper()}{data.best.label[1:]} with {data.best.score:.3f}; {counts}"


def _draw_best_so_far(axes: Axes, data: History) -> None:
    numbers, scores = zip(*data.best_so_far, strict=True)
    every = data.finished.numbers + data.pruned.numbers + data.faulty.numbers
    axes.step([*numbers, max(every)], [*scores, scores[-1]], where="post", color=INK, lw=1.8, label="lowest so far")
    axes.margins(y=0.12)


def _ring(axes: Axes, best: Best) -> None:
    """Around its own score, which need not be what it was chosen by."""
    place = (best.number, best.val_bpd)
    axes.plot(*place, "o", ms=14, mfc="none", mec=INK, mew=2, zorder=4, linestyle="", label=best.label)
    axes.annotate(
        f"{best.val_bpd:.3f}",
        place,
        (0, -13),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=12,
        fontweight="bold",
        color=INK,
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1},
        zorder=4,
    )


def _learning_headline(data: Learning) -> str:
    n_pruned = sum(line.kind == "pruned" for line in data.lines)
    return f"{n_pruned} of {len(data.lines)} trials were stopped early (×)"


def _draw_line(axes: Axes, line: Line, is_best: bool, flat: bool) -> None:
    look: dict[str, Any] = {
        "finished": {"color": SKY, "lw": 1.4, "zorder": 2},
        "pruned": {"color": ORANGE, "lw": 1.2, "alpha": 0.8, "zorder": 2},
        "running": {"color": INK, "lw": 1, "ls": "--", "zorder": 3},
    }.get(line.kind, {"color": MUTED, "lw": 1, "ls": ":", "zorder": 1})
    if is_best:
        look = {"color": BLUE, "lw": 3, "zorder": 4}
    # A single report would have no line.
    dot = "o" if len(line.epochs) == 1 and line.kind != "pruned" else ""
    axes.plot(line.epochs, line.scores, marker=dot, ms=4, rasterized=flat, **look)
    if line.kind == "pruned":
        axes.plot(line.epochs[-1], line.scores[-1], "x", color=VERMILLION, ms=8, mew=2, zorder=3)
