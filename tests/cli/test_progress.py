"""Progress of a running search as the terminal shows it: log lines, or a live table."""

import io
import time
from dataclasses import fields
from typing import Any

import pytest
from optuna.trial import TrialState
from rich.console import Console

from hpo.cli.live_table import N_ROWS, LiveTable
from hpo.cli.plain_log import PlainLog
from hpo.cli.progress import Progress
from hpo.search.best_trial import BestTrial
from hpo.search.learning_curves.further_search import FurtherSearch
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialReported, TrialStarted
from model.training.training_loop import EpochMetrics

VALUES = {"beta": 0.5, "batch_size": 64}
FINISHED, PRUNED = TrialState.COMPLETE, TrialState.PRUNED


def progress(*best: BestTrial | None, deadline: float | None = None) -> Progress:
    """Progress of a study of 6 configurations and 2 epochs, with its best trial at first and after each trial."""
    trials = iter([*best, *[best[-1]] * 100])
    return Progress(["beta"], 2, 6, deadline, find_best=lambda: next(trials), predict_further=lambda: None)


def reported(number: int, epoch: float, val_bpd: float) -> TrialReported:
    """Return the event of a report point."""
    values: dict[str, Any] = {field.name: 0.0 for field in fields(EpochMetrics)}
    values |= {"epoch": epoch, "val_bpd": val_bpd, "images_per_second": 1234.5}
    return TrialReported(number, EpochMetrics(**values))


def log_lines(*events: TrialEvent) -> list[str]:
    """Return the log lines of events of a study whose best trial is found after the first of them."""
    console = Console(file=io.StringIO(), width=200)
    with PlainLog(console, progress(None, BestTrial(0, 6.5))) as log:
        for event in events:
            log.show(event)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_the_best_trial_is_looked_up_after_every_trial_and_shown_with_how_it_was_chosen() -> None:
    state = progress(None, BestTrial(0, 6.5), BestTrial(1, 6.6, (6.7, 6.8)))
    assert state.status().endswith("none finished yet")
    state.update(TrialStarted(0, {}, 0.0))
    state.update(TrialEnded(0, FINISHED, "finished", 6.5))
    assert state.status().endswith("best: trial 0 with 6.5000")
    state.update(TrialStarted(1, {}, 0.0, confirms=0))
    state.update(TrialEnded(1, FINISHED, "finished", 6.7))
    assert state.status().endswith("best by the mean of 2 new seeds: trial 1 with 6.7500")
    assert state.rows[1].relation == "confirms trial 0" and state.started == {0}


def test_the_status_counts_trials_and_the_remaining_time() -> None:
    state = progress(None, deadline=time.monotonic() + 3601)
    for number, end in enumerate(["finished", "pruned at epoch 1", "diverged: not finite"]):
        state.update(TrialStarted(number, {}, 0.0))
        state.update(TrialEnded(number, PRUNED, end, None))
    assert state.status() == "3 trials ended, 3 of 6 configurations, 1 pruned, none finished yet, 60 min left"


def test_the_status_tells_what_a_further_search_brings_as_predicted_every_half_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = progress(None)
    gains = iter([0.0123, 0.0004])
    state.predict_further = lambda: FurtherSearch(30.0, 12, next(gains))
    ended = TrialEnded(0, FINISHED, "finished", 6.5)
    for now, gain in ((1000.0, "about 0.012"), (1029.0, "about 0.012"), (1030.0, "less than 0.001")):
        monkeypatch.setattr("hpo.cli.progress.time.monotonic", lambda now=now: now)
        state.update(ended)
        assert state.status().endswith(f"; another 30 min: {gain} better")


def test_every_event_is_a_log_line() -> None:
    assert log_lines(
        TrialStarted(0, VALUES, 0.0),
        reported(0, 1.0, 6.61234),
        TrialEnded(0, FINISHED, "finished", 6.5),
        Notice("CIFAR-10 could not be downloaded"),
        TrialStarted(1, VALUES, 1.5),
        TrialStarted(2, VALUES, 1.0, continues=1),
        TrialStarted(3, VALUES, 0.0, confirms=0),
    ) == [
        "trial 0: beta 0.5",
        "trial 0: epoch 1/2, val_bpd 6.6123, 1,234 images/s",
        "trial 0: finished; 1 trial ended, 1 of 6 configurations, 0 pruned, best: trial 0 with 6.5000",
        "CIFAR-10 could not be downloaded",
        "trial 1 resumes after epoch 1.5: beta 0.5",
        "trial 2 continues trial 1 after epoch 1: beta 0.5",
        "trial 3 confirms trial 0: beta 0.5",
    ]


def test_the_live_table_has_a_row_for_each_of_the_last_trials() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    table = LiveTable(console, progress(None, BestTrial(14, 6.5)))
    with table:
        for number in range(15):
            table.show(TrialStarted(number, VALUES, 0.0))
            table.show(reported(number, 1.0, 6.61234))
        table.show(TrialEnded(14, FINISHED, "finished", 6.5))
        table.show(TrialEnded(13, PRUNED, "diverged: half of the updates were not finite", None))
        table.show(Notice("errors.log has the reason"))
    assert isinstance(console.file, io.StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    rows = {cells[1]: cells for cells in lines if len(cells) > 2 and cells[1].isdecimal()}
    assert list(rows) == [str(number) for number in range(15 - N_ROWS, 15)]
    assert [cell for cell in rows["14"] if cell != "│"] == ["14", "0.5", "1/2", "6.6123", "finished"]
    assert "diverged" in rows["13"] and "running" in rows["12"]
    assert "best: trial 14 with 6.5000" in console.file.getvalue()
    assert "errors.log has the reason" in console.file.getvalue()
