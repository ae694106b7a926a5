"""What a study looks like in the terminal while it runs: a live table, or plain lines where there is no terminal."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hpo.search.best_trial import Best
from hpo.search.configurations import is_pruned
from hpo.workers.trial_events import Notice, TrialEvent, TrialReported, TrialStarted


@dataclass
class _Row:
    values: dict[str, Any]
    epoch: float
    val_bpd: float | None = None
    end: str = "running"
    of: str = ""


@dataclass
class Progress:
    """What is to be shown: rows by trial number, the best finished trial, and how much budget is left.

    `begun` are the first trials of configurations, `n_total` of them at most; `find_best` looks the best one up.
    """

    columns: list[str]
    epochs: int
    n_total: int | None
    deadline: float | None
    find_best: Callable[[], Best | None]
    begun: set[int] = field(default_factory=set)
    n_ended: int = 0
    n_pruned: int = 0
    rows: dict[int, _Row] = field(default_factory=dict)
    best: Best | None = field(init=False)

    def __post_init__(self) -> None:
        self.best = self.find_best()

    def take(self, event: TrialEvent) -> None:
        """Bring the rows up to date."""
        if isinstance(event, Notice):
            return
        if isinstance(event, TrialStarted):
            self._begin(event)
            return
        row = self.rows.setdefault(event.number, _Row({}, 0.0))
        if isinstance(event, TrialReported):
            row.epoch, row.val_bpd = event.metrics.epoch, event.metrics.val_bpd
            return
        row.end = event.end
        self.n_ended += 1
        self.n_pruned += is_pruned(event.end)
        self.best = self.find_best()

    def _begin(self, event: TrialStarted) -> None:
        of = ""
        if event.continues is not None:
            of = f"continues trial {event.continues}"
        elif event.confirms is not None:
            of = f"confirms trial {event.confirms}"
        else:
            self.begun.add(event.number)
        self.rows[event.number] = _Row(event.values, event.epoch, of=of)

    def status(self) -> str:
        """One line: trials so far, pruned, best, what is left."""
        total = f", {len(self.begun)} of {self.n_total} configurations" if self.n_total else ""
        best = f"{self.best.label} with {self.best.score:.4f}" if self.best else "none finished yet"
        return f"{self.n_ended} trials over{total}, {self.n_pruned} pruned, {best}{self._left()}"

    def _left(self) -> str:
        if self.deadline is None:
            return ""
        left = max(0.0, self.deadline - time.monotonic())
        return f", {left / 60:.0f} min left" if left >= 90 else f", {left:.0f} s left"
