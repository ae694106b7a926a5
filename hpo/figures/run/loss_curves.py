"""Figure of a training's curves: score, rate, squared error and learning rate over the epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hpo.figures.style import BLUE, INK, PAPER, VERMILLION, in_own_style, new_figure, save_figure, style_axes

# Share of a panel's height that a line of its legend takes.
_LEGEND_LINE = 0.08
_RATE = "learning rate"
_LINES = {"train": (VERMILLION, "--"), "validation": (BLUE, "-"), _RATE: (INK, "-")}


@dataclass(frozen=True)
class MetricCurve:
    """Points (epoch, value) of one quantity; values that are not finite are left out."""

    name: str
    epochs: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """Panel of one quantity over the trained epochs; the untrained model's value is kept apart.

    `digits` is the format in which its values are written, such as `.3f`.
    """

    quantity: str
    unit: str
    digits: str
    curves: tuple[MetricCurve, ...]
    untrained: float | None


@dataclass(frozen=True)
class LossCurves:
    """Content of `draw_loss_curves`; `best` and `last` are (epoch, validation bits/dim), `last` None if not finite."""

    panels: tuple[Panel, ...]
    last_epoch: float
    best: tuple[float, float] | None
    last: tuple[float, float] | None


def loss_curves_data(history: pd.DataFrame) -> LossCurves:
    """Build the curves of a run's history (one row per report point, epoch 0 = untrained).

    The untrained row is not part of a curve: its values are so far from the others that the curves would look flat.
    """
    score = _curve(history, "validation", "val_bpd")
    points = list(zip(score.epochs, score.values, strict=True))
    last_epoch = float(history["epoch"].max())
    return LossCurves(
        panels=(
            _panel(history, "Score", "bits/dim", ".3f", "bpd"),
            _panel(history, "Rate", "nats/image", ".1f", "rate_nats"),
            _panel(history, "Mean squared error", "MSE, pixels in [0, 1]", ".4f", "mse"),
            Panel("Learning rate", "learning rate", ".2g", (_curve(history, _RATE, "learning_rate"),), None),
        ),
        last_epoch=last_epoch,
        best=min(points, key=lambda point: point[1], default=None),
        last=points[-1] if points and points[-1][0] == last_epoch else None,
    )


@in_own_style
def draw_loss_curves(history: pd.DataFrame, path: Path) -> None:
    """Draw score, rate, squared error and learning rate over the epochs."""
    data = loss_curves_data(history)
    figure = new_figure(_headline(data), width_in=13, height_in=8.4)
    grid = figure.subplots(2, 2)
    for axes, panel in zip(grid.flat, data.panels, strict=True):
        _draw_panel(axes, panel, data.last_epoch)
    _mark_score(grid[0, 0], data)
    for axes in grid.flat:
        if len(axes.get_lines()) > 1:
            legend = axes.legend(loc="upper right", fontsize=11, frameon=False, labelcolor=INK)
            _make_room_above(axes, len(legend.get_texts()))
    save_figure(figure, path)


def _make_room_above(axes: Axes, n_lines: int) -> None:
    """Let the curves end below a legend of so many lines, which would hide a part of them."""
    low, high = axes.get_ylim()
    share = _LEGEND_LINE * n_lines
    axes.set_ylim(low, low + (high - low) / (1 - share))


def _curve(history: pd.DataFrame, name: str, column: str) -> MetricCurve:
    trained = history[history["epoch"] > 0]
    points = [
        (float(epoch), float(value))
        for epoch, value in zip(trained["epoch"], trained[column], strict=True)
        if math.isfinite(value)
    ]
    return MetricCurve(name, tuple(epoch for epoch, _ in points), tuple(value for _, value in points))


def _panel(history: pd.DataFrame, quantity: str, unit: str, digits: str, metric: str) -> Panel:
    curves = (_curve(history, "train", f"train_{metric}"), _curve(history, "validation", f"val_{metric}"))
    untrained_values = [float(value) for value in history.loc[history["epoch"] == 0, f"val_{metric}"]]
    untrained = untrained_values[0] if untrained_values and math.isfinite(untrained_values[0]) else None
    return Panel(quantity, unit, digits, curves, untrained)


def _headline(data: LossCurves) -> str:
    if data.best is None:
        return "No trained epoch has a finite validation score"
    best_epoch, best = data.best
    if data.last is None:
        return f"Validation ends without a finite score; its best was {best:.3f} at epoch {best_epoch:g}"
    last = data.last[1]
    if data.best == data.last:
        return f"Validation ends at {last:.3f} bits/dim, its best"
    return f"Validation ends at {last:.3f} bits/dim; its best was {best:.3f} at epoch {best_epoch:g}"


def _draw_panel(axes: Axes, panel: Panel, last_epoch: float) -> None:
    for curve in panel.curves:
        colour, line = _LINES[curve.name]
        # With more than thirty points the dots merge into a thick line; a single point needs its dot.
        dot = "o" if len(curve.values) <= 30 else ""
        label = curve.name if curve.values else f"{curve.name}: no finite value"
        axes.plot(curve.epochs, curve.values, line, marker=dot, color=colour, lw=2, ms=4, label=label)
    if panel.untrained is not None:
        axes.plot([], [], " ", label=f"untrained: {panel.untrained:{panel.digits}} (not drawn)")
    style_axes(axes, panel_title(panel), "epoch", panel.unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlim(0, max(last_epoch, 1) * 1.03)
    if panel.curves[0].name == _RATE:
        # Otherwise a constant rate would be drawn on a scale of its rounding errors.
        axes.set_ylim(bottom=0)
    if not any(curve.values for curve in panel.curves):
        axes.set_yticks([])


def panel_title(panel: Panel) -> str:
    """Return the title of a panel: its quantity with first, highest and last value."""
    curve = panel.curves[-1]
    if not curve.values:
        return f"{panel.quantity}: no finite value"
    first, peak, last = (f"{value:{panel.digits}}" for value in (curve.values[0], max(curve.values), curve.values[-1]))
    if len(curve.values) == 1:
        return f"{panel.quantity}: {last}"
    if curve.name == _RATE:
        # A cosine ends at a tiny rate: shown as 0 rather than with ten decimals.
        final = last if curve.values[-1] > 1e-3 * max(curve.values) else "0"
        return f"{panel.quantity}: at most {peak}, {final} at the end"
    return f"{panel.quantity}: {curve.name} from {first} to {last}"


def _mark_score(axes: Axes, data: LossCurves) -> None:
    if data.best is not None:
        epoch, score = data.best
        label = f"best: {score:.3f} (epoch {epoch:g})"
        axes.plot(epoch, score, "o", ms=13, mfc="none", mew=2.2, mec=INK, label=label)
    if data.last is not None:
        epoch, score = data.last
        label = f"last, which counts: {score:.3f} (epoch {epoch:g})"
        axes.plot(epoch, score, "D", ms=9, mfc=BLUE, mec=PAPER, zorder=5, label=label)
