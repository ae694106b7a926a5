"""What the figures of a study show, as plain values: made from its trials, drawn elsewhere.

Trials come as a data frame with a row each: number, kind, val_bpd, epoch, rate_nats, distortion_nats, and a column for
every hyperparameter. Scores are val_bpd, in bits per dimension; those that are not finite are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpo.best import Best

Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class SearchAxis:
    """A searched hyperparameter: from `low` to `high`, maybe on a log scale, or one of `choices`."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[Any, ...] = ()

    def position(self, value: Any) -> float:
        """Where a value lies between the ends of its range, from 0 to 1; choices stand evenly spaced."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        scale = math.log if self.log else float
        return (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))


@dataclass(frozen=True)
class Points:
    """Trials by number, each with a place and a score."""

    numbers: tuple[int, ...]
    places: tuple[Any, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class History:
    """Trials in their order. `best_so_far` are the (number, score) at which the lowest score changed.

    What lies above `ceiling` would squeeze the rest; None where nothing does.
    """

    finished: Points
    pruned: Points
    faulty: Points
    best_so_far: tuple[tuple[int, float], ...]
    best: Best | None
    ceiling: float | None


@dataclass(frozen=True)
class Line:
    """One trial's reports."""

    number: int
    kind: str
    epochs: tuple[float, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Learning:
    """Every trial's learning curve."""

    lines: tuple[Line, ...]
    best: Best | None
    ceiling: float | None


@dataclass(frozen=True)
class Slices:
    """Scores against each searched hyperparameter: (axis, finished trials, pruned trials at their last report)."""

    panels: tuple[tuple[SearchAxis, Points, Points], ...]
    best: Best | None
    ceiling: float | None


@dataclass(frozen=True)
class Parallel:
    """Trials as lines over the axes, at positions from 0 to 1: finished ones with their scores, pruned ones without."""

    axes: tuple[SearchAxis, ...]
    finished: tuple[tuple[int, tuple[float, ...], float], ...]
    pruned: tuple[tuple[float, ...], ...]
    best: Best | None


def history_data(trials: pd.DataFrame, best: Best | None) -> History:
    """Every trial's last score, and how the lowest finished one improved."""
    best_so_far: list[tuple[int, float]] = []
    finished = _points(of_kind(trials, "finished"), "number")
    for number, score in zip(finished.numbers, finished.scores, strict=True):
        if not best_so_far or score < best_so_far[-1][1]:
            best_so_far.append((number, score))
    pruned = _points(of_kind(trials, "pruned"), "number")
    faulty = _points(of_kind(trials, "diverged", "out of memory", "failed"), "number")
    top = ceiling(finished.scores + pruned.scores + faulty.scores)
    return History(finished, pruned, faulty, tuple(best_so_far), best, top)


def learning_data(trials: pd.DataFrame, curves: Mapping[int, Curve], best: Best | None) -> Learning:
    """Every trial of the search that reported; the curves hold (epoch, score) by trial number.

    One that another continues is drawn with that one.
    """
    lines = []
    for number, kind in zip(trials["number"], trials["kind"], strict=True):
        points = [point for point in curves[number] if math.isfinite(point[1])]
        if points and kind not in ("continued", "confirmation"):
            epochs, scores = zip(*points, strict=True)
            lines.append(Line(int(number), str(kind), epochs, scores))
    every = [score for line in lines for score in line.scores]
    return Learning(tuple(lines), best, ceiling(every))


def slice_data(trials: pd.DataFrame, axes: tuple[SearchAxis, ...], best: Best | None) -> Slices:
    """A panel for each hyperparameter."""
    finished, pruned = of_kind(trials, "finished"), of_kind(trials, "pruned")
    panels = tuple((axis, _points(finished, axis.name), _points(pruned, axis.name)) for axis in axes)
    return Slices(panels, best, ceiling(_points(of_kind(trials, "finished", "pruned"), "number").scores))


def parallel_data(trials: pd.DataFrame, axes: tuple[SearchAxis, ...], best: Best | None) -> Parallel:
    """A line for each finished and each pruned trial."""
    finished, pruned = _scored(of_kind(trials, "finished")), of_kind(trials, "pruned")
    lines = zip(finished["number"], _positions(finished, axes), finished["val_bpd"], strict=True)
    return Parallel(
        axes=axes,
        finished=tuple((int(number), positions, float(score)) for number, positions, score in lines),
        pruned=tuple(_positions(pruned, axes)),
        best=best,
    )


def of_kind(trials: pd.DataFrame, *kinds: str) -> pd.DataFrame:
    """The trials that stand in one of these ways."""
    return trials[trials["kind"].isin(kinds)]


def _scored(trials: pd.DataFrame) -> pd.DataFrame:
    scored: pd.DataFrame = trials[np.isfinite(trials["val_bpd"])]
    return scored


def _points(trials: pd.DataFrame, places: str) -> Points:
    scored = _scored(trials)
    return Points(
        tuple(int(number) for number in scored["number"]),
        tuple(scored[places].tolist()),
        tuple(float(score) for score in scored["val_bpd"]),
    )


def _positions(trials: pd.DataFrame, axes: tuple[SearchAxis, ...]) -> list[tuple[float, ...]]:
    columns = [[axis.position(value) for value in trials[axis.name]] for axis in axes]
    return [tuple(positions) for positions in zip(*columns, strict=True)]


def ceiling(scores: Iterable[float]) -> float | None:
    """Where to cut off a tail of bad scores: half as far again from the best as nine tenths of them reach."""
    values = np.array(list(scores))
    if len(values) == 0:
        return None
    low = float(values.min())
    top = low + 1.5 * (float(np.quantile(values, 0.9, method="higher")) - low)
    return top if low < top < values.max() else None
