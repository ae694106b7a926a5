"""Best score so far, in cases computed by hand: hours without pauses, epochs of all trials."""

import datetime
from typing import Any

import pytest

from hpo.analysis.comparison.best_so_far import best_so_far
from hpo.analysis.trial_table import TrialRow

START = datetime.datetime(2026, 1, 2, 3)
HOUR = 3600.0


def row(number: int, kind: str, end_h: float, score: float | None, hours: float = 1.0, epochs: float = 2.0) -> TrialRow:
    """A trial that ends `end_h` hours after START, of which it was trained the last `hours`."""
    names: dict[str, Any] = dict.fromkeys(TrialRow.__dataclass_fields__)
    completed = START + datetime.timedelta(hours=end_h)
    return TrialRow(
        **names
        | {"number": number, "kind": kind, "val_bpd": score, "started": START, "completed": completed}
        | {"own_epochs": epochs, "own_elapsed_s": hours * HOUR}
    )


def test_only_finished_trials_lower_the_score_and_all_cost_time_and_epochs() -> None:
    rows = [
        row(0, "pruned", 1, 5.0, epochs=1),
        row(1, "finished", 2, 7.0),
        row(2, "finished", 3, 7.5),
        row(3, "confirmation", 4, 6.0),
        row(4, "finished", 5, 6.5),
        row(5, "diverged", 6, None, epochs=0.5),
    ]
    curve = best_so_far(rows)
    assert curve.by_hours == ((2.0, 7.0), (5.0, 6.5), (6.0, 6.5))
    assert curve.by_epochs == ((3.0, 7.0), (9.0, 6.5), (9.5, 6.5))


def test_a_pause_between_calls_counts_no_time() -> None:
    assert best_so_far([row(0, "finished", 1, 7.0), row(1, "finished", 49, 6.0)]).by_hours == ((1.0, 7.0), (2.0, 6.0))


def test_trials_that_overlap_count_their_time_once() -> None:
    rows = [row(0, "finished", 2, 7.0, hours=2), row(1, "finished", 3, 6.0, hours=2), row(2, "pruned", 2.5, 8.0)]
    assert best_so_far(rows).by_hours == ((2.0, 7.0), (3.0, 6.0))


def test_the_order_is_that_of_the_ends() -> None:
    assert best_so_far([row(0, "finished", 4, 6.0), row(1, "finished", 2, 7.0)]).by_epochs == ((2.0, 7.0), (4.0, 6.0))


@pytest.mark.parametrize("rows", [[], [row(0, "pruned", 1, 5.0)]])
def test_without_a_finished_trial_there_is_no_curve(rows: list[TrialRow]) -> None:
    curve = best_so_far(rows)
    assert (curve.by_hours, curve.by_epochs) == ((), ())
