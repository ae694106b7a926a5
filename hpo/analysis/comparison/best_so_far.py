"""The lowest score that a study had reached after so much time, and after so many trained epochs."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from hpo.analysis.trial_table import TrialRow

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class BestSoFar:
    """Points (spent, lowest score of finished trials so far) at which that score changed, and the end of the search.

    `by_hours`: hours in which at least one trial was trained, pauses between calls left out. `by_epochs`: epochs of all
    trials that had ended, pruned and confirming ones included. Both are empty if no trial has finished.
    """

    by_hours: Points
    by_epochs: Points


def best_so_far(rows: Sequence[TrialRow]) -> BestSoFar:
    """Follow a study's lowest finished score; confirmations count as time and epochs, and not as scores."""
    ended = sorted((row for row in rows if row.completed is not None), key=lambda row: (row.completed, row.number))
    ends = [row.completed for row in ended if row.completed is not None]
    hours = _busy_hours([(_begin(row, end), end) for row, end in zip(ended, ends, strict=True)])
    epochs = list(accumulate(row.own_epochs for row in ended))
    scores = [row.val_bpd if row.kind == "finished" else None for row in ended]
    return BestSoFar(_improvements(hours, scores), _improvements(epochs, scores))


def _begin(row: TrialRow, end: datetime) -> datetime:
    """Return when a trial would have begun that was trained without a pause: a killed one may have lain for days."""
    if row.own_elapsed_s is not None:
        return end - timedelta(seconds=row.own_elapsed_s)
    return row.started or end


def _busy_hours(intervals: Sequence[tuple[datetime, datetime]]) -> list[float]:
    """Return, for the end of each interval, the hours until then that lie within at least one interval."""
    merged: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((begin, end))
    begins = [begin for begin, _ in merged]
    before = [0.0, *accumulate((end - begin).total_seconds() for begin, end in merged)]
    positions = [bisect_right(begins, end) - 1 for _, end in intervals]
    seconds = [
        before[position] + (end - begins[position]).total_seconds()
        for position, (_, end) in zip(positions, intervals, strict=True)
    ]
    return [value / 3600 for value in seconds]


def _improvements(spent: Sequence[float], scores: Sequence[float | None]) -> Points:
    points: list[tuple[float, float]] = []
    for amount, score in zip(spent, scores, strict=True):
        if score is not None and (not points or score < points[-1][1]):
            points.append((amount, score))
    if points and points[-1][0] < spent[-1]:
        points.append((spent[-1], points[-1][1]))
    return tuple(points)
