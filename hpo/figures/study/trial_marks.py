"""A study in three figures: its scores in order, its learning curves, and which hyperparameters mattered."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from hpo.figures.study.trial_points import Points

BITS = "val_bpd, bits/dim"
FAULTY = "diverged or failed"
# With more lines than this a drawing in vectors would weigh megabytes.
MAX_VECTOR_LINES = 300


def hyperparameter_label(name: str) -> str:
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
