"""Statistics of the repetitions: time to the target, regrets, and ratios with their uncertainty.

Legend: R repetitions, T times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search.gaussian_process import Array
from benchmarks.search.simulator import Trace
from benchmarks.search.surrogate import TOLERANCE

_RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """A ratio of medians and its bootstrap 95% interval."""

    median: float
    low: float
    high: float


def to_target(traces: Sequence[Trace], unit_s: float, limit: float) -> Array:
    """Time until the target was reached, in units, shape (R,); `limit` where it never was: censored.

    Also where a search gave up before the limit: it would wait there for ever.
    """
    return np.array([trace.reached.elapsed_s / unit_s if trace.reached else limit for trace in traces])


def n_reached(traces: Sequence[Trace]) -> int:
    """Repetitions that reached the target."""
    return sum(trace.reached is not None for trace in traces)


def regrets(traces: Sequence[Trace], times: Sequence[float], unit_s: float) -> Array:
    """True score above the table's best configuration, in bits per dimension, shape (R, T); inf before any answer.

    Below zero where a search found better than the table holds.
    """
    return np.array([[_regret(trace, time * unit_s) for time in times] for trace in traces])


def quartiles(samples: Array) -> Array:
    """Quartiles over the first axis: shape (3, ...). Members of the sample, since no mean of it and infinity exists."""
    return np.asarray(np.quantile(samples, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf"))


def ratio_of_medians(theirs_R: Array, ours_R: Array) -> Interval:
    """Ratio of medians, percentile bootstrap, sides resampled independently (Efron and Tibshirani 1993, chapter 13)."""
    generator = np.random.default_rng(0)
    medians = [np.median(generator.choice(side, (_RESAMPLES, len(side))), axis=1) for side in (theirs_R, ours_R)]
    low, high = np.quantile(medians[0] / medians[1], [0.025, 0.975])
    return Interval(float(np.median(theirs_R) / np.median(ours_R)), float(low), float(high))


def _regret(trace: Trace, time_s: float) -> float:
    before = [point.above_target for point in trace.points if point.elapsed_s <= time_s]
    return before[-1] + TOLERANCE if before else float("inf")
