"""What a study looks like in the terminal while it runs: a live table, or plain lines where there is no terminal."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from hpo.best import Best
from hpo.configurations import is_pruned
from hpo.objective import Event, Notice, TrialEnded, TrialReported, TrialStarted

N_ROWS = 12


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

    def take(self, event: Event) -> None:
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


class LiveTable:
    """A table that redraws itself."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._progress = progress
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=2)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, event: Event) -> None:
        """Take an event in; notices stand above the table."""
        self._progress.take(event)
        if isinstance(event, Notice):
            self.announce(event.text)

    def announce(self, text: str) -> None:
        """Print a line above the table."""
        self._live.console.print(text, markup=False, highlight=False)

    def _table(self) -> Table:
        progress = self._progress
        table = Table(caption=progress.status(), caption_justify="left")
        for name in ("trial", *progress.columns, "epoch", "val_bpd"):
            table.add_column(name, justify="right", no_wrap=name in ("trial", "epoch", "val_bpd"))
        table.add_column("end")
        for number, row in list(progress.rows.items())[-N_ROWS:]:
            best = progress.best is not None and progress.best.number == number
            table.add_row(
                str(number),
                *(shown(row.values.get(name, "")) for name in progress.columns),
                f"{row.epoch:g}/{progress.epochs}",
                "" if row.val_bpd is None else f"{row.val_bpd:.4f}",
                ", ".join(part for part in (row.of, row.end.partition(":")[0]) if part),
                style="bold green" if best else "dim" if row.end not in ("running", "finished") else None,
            )
        return table


class PlainLines:
    """A line for each thing that happens: for logs."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress

    def __enter__(self) -> "PlainLines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: Event) -> None:
        """Print an event."""
        self._progress.take(event)
        for line in self._lines(event):
            self.announce(line)

    def announce(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _lines(self, event: Event) -> list[str]:
        if isinstance(event, Notice):
            return [event.text]
        label = f"trial {event.number}"
        if isinstance(event, TrialStarted):
            values = ", ".join(f"{name} {shown(event.values[name])}" for name in self._progress.columns)
            of = self._progress.rows[event.number].of
            goes_on = " goes on" if event.epoch and not of else f" {of}" if of else ""
            after = f" after epoch {event.epoch:g}" if event.epoch else ""
            return [f"{label}{goes_on}{after}: {values}"]
        if isinstance(event, TrialReported):
            metrics = event.metrics
            epoch = f"epoch {metrics.epoch:g}/{self._progress.epochs}"
            return [f"{label}: {epoch}, val_bpd {metrics.val_bpd:.4f}, {metrics.images_per_second:,.0f} images/s"]
        assert isinstance(event, TrialEnded)
        return [f"{label}: {event.end}; {self._progress.status()}"]


def shown(value: Any) -> str:
    """A hyperparameter's value, short."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
