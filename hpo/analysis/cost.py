"""Cost of a study: trials by how they ended, epochs, time and speed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from hpo.analysis.trial_table import TrialRow


@dataclass(frozen=True)
class Cost:
    """Cost of a study's trials. Running trials count towards the epochs alone.

    `elapsed_s` is the sum over trials, also of those that ran side by side. `images_per_second` is the median over
    trials; `seconds_per_epoch` includes scoring. Both are None if no trial has recorded them. `epochs_saved` and
    `saved_share` count the trials of the search, without those that confirm.
    """

    n_ended: int
    n_continued: int
    n_confirmations: int
    n_finished: int
    n_pruned: int
    n_faulty: int
    n_running: int
    epochs_trained: float
    epochs_saved: float
    saved_share: float
    elapsed_s: float
    images_per_second: float | None
    seconds_per_epoch: float | None


def count_cost(rows: Sequence[TrialRow], n_epochs: int) -> Cost:
    """Add up the cost of the trials; `n_epochs` is the length of a full training."""
    ended = [row for row in rows if row.kind != "running"]
    pruned = [row for row in ended if row.kind == "pruned"]
    n_finished, n_continued = (sum(row.kind == kind for row in ended) for kind in ("finished", "continued"))
    n_confirmations = sum(row.confirms is not None for row in ended)
    n_faulty = len(ended) - n_finished - len(pruned) - n_continued - n_confirmations
    n_searched = len(ended) - n_continued - n_confirmations
    saved = sum(n_epochs - row.epoch for row in pruned)
    timed = [row for row in ended if row.own_elapsed_s is not None]
    elapsed_s = sum(row.own_elapsed_s or 0.0 for row in timed)
    timed_epochs = sum(row.own_epochs for row in timed)
    speeds = [row.images_per_second for row in ended if row.images_per_second is not None]
    return Cost(
        n_ended=len(ended),
        n_continued=n_continued,
        n_confirmations=n_confirmations,
        n_finished=n_finished,
        n_pruned=len(pruned),
        n_faulty=n_faulty,
        n_running=len(rows) - len(ended),
        epochs_trained=sum(row.own_epochs for row in rows),
        epochs_saved=saved,
        saved_share=saved / (n_epochs * n_searched) if n_searched else 0.0,
        elapsed_s=elapsed_s,
        images_per_second=statistics.median(speeds) if speeds else None,
        seconds_per_epoch=elapsed_s / timed_epochs if timed_epochs else None,
    )
