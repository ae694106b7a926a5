"""Marks, labels and limits that the figures of a study share."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from hpo.figures.study.trial_points import TrialPoints
from model.config import SETTINGS

BITS = "val_bpd, bits/dim"
FAULTY = "diverged or failed"
# More marks than this are drawn as pixels: as vectors they would take megabytes.
MAX_VECTOR_MARKS = 300


def hyperparameter_label(name: str) -> str:
    """Return the label of a hyperparameter from model.config.SETTINGS; another name with spaces."""
    return SETTINGS[name].label if name in SETTINGS else name.replace("_", " ")


def cut_off(axes: Axes, ceiling: float | None) -> None:
    """End the scores' axis at the ceiling, if there is one; called last, since it fixes the axis' other end, too."""
    if ceiling is not None:
        axes.set_ylim(top=ceiling)


def draw_trials(axes: Axes, points: TrialPoints, ceiling: float | None, name: str, **look: Any) -> None:
    """Draw trials as marks; those above the ceiling are drawn on it, and the legend counts them."""
    if not points.numbers:
        return
    heights = [score if ceiling is None else min(score, ceiling) for score in points.scores]
    n_above = sum(ceiling is not None and score > ceiling for score in points.scores)
    above = f" ({n_above} beyond the upper edge)" if n_above else ""
    rasterized = len(heights) > MAX_VECTOR_MARKS
    axes.scatter(points.positions, heights, label=f"{name}{above}", clip_on=False, rasterized=rasterized, **look)
