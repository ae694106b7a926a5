"""Trials as plain points, and the axes of the search space, for the figures of a study.

Trials come as a data frame with a row each: number, kind, val_bpd, epoch, rate_nats, distortion_nats, and a column for
every hyperparameter. Scores are val_bpd, in bits per dimension; those that are not finite are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpo.search.best_trial import MarkedTrial

# A figure of thousands of lines takes minutes, and nobody can tell them apart.
MAX_SHOWN = 300


@dataclass(frozen=True)
class SearchAxis:
    """A searched hyperparameter: from `low` to `high`, maybe on a log scale, or one of `choices`."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[Any, ...] = ()

    def position(self, value: Any) -> float:
        """Return the position of a value in its range, from 0 to 1; choices are evenly spaced."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        scale = math.log if self.log else float
        return (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))


@dataclass(frozen=True)
class TrialPoints:
    """Trials by number, each with a position and a score."""

    numbers: tuple[int, ...]
    positions: tuple[Any, ...]
    scores: tuple[float, ...]


def shown_positions(scores: Sequence[float | None]) -> list[int]:
    """Return the positions of at most MAX_SHOWN trials: half of them the best, the others evenly from the rest.

    Trials without a score count as the worst.
    """
    if len(scores) <= MAX_SHOWN:
        return list(range(len(scores)))
    values = np.array([math.inf if score is None or math.isnan(score) else score for score in scores])
    ranked, half = np.argsort(values, kind="stable"), MAX_SHOWN // 2
    rest = ranked[np.linspace(half, len(ranked) - 1, half).astype(int)]
    return sorted({*ranked[:half].tolist(), *rest.tolist()})


def shown_trials(trials: pd.DataFrame, best: MarkedTrial | None) -> pd.DataFrame:
    """Return the trials that a figure of lines or panels shows, see `shown_positions`, and the best in any case."""
    shown = trials.iloc[shown_positions([float(score) for score in trials["val_bpd"]])]["number"]
    numbers = {*shown, *([best.number] if best else [])}
    return trials[trials["number"].isin(numbers)]


def of_kind(trials: pd.DataFrame, *kinds: str) -> pd.DataFrame:
    """Return the trials of these kinds."""
    return trials[trials["kind"].isin(kinds)]


def with_finite_score(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials of finite score."""
    scored: pd.DataFrame = trials[np.isfinite(trials["val_bpd"])]
    return scored


def trial_points(trials: pd.DataFrame, column: str) -> TrialPoints:
    """Return the trials of finite score, with their values in a column as positions."""
    scored = with_finite_score(trials)
    return TrialPoints(
        tuple(int(number) for number in scored["number"]),
        tuple(scored[column].tolist()),
        tuple(float(score) for score in scored["val_bpd"]),
    )


def score_ceiling(scores: Iterable[float]) -> float | None:
    """Return the score at which a tail of bad scores is cut off: 1.5 times as far from the best as 90% reach."""
    values = np.array(list(scores))
    if len(values) == 0:
        return None
    low = float(values.min())
    top = low + 1.5 * (float(np.quantile(values, 0.9, method="higher")) - low)
    return top if low < top < values.max() else None
