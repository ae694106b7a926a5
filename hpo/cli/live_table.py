"""Live table of a running search, for a terminal."""

from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from hpo.analysis.formatting import format_value
from hpo.cli.progress import Progress
from hpo.workers.trial_events import Notice, TrialEvent
from model.printable import printable

N_ROWS = 12


class LiveTable:
    """A table with a row for each of the last trials, redrawn twice a second."""

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

    def show(self, event: TrialEvent) -> None:
        """Update the table by an event, or print a notice above it."""
        self._progress.update(event)
        if isinstance(event, Notice):
            self.announce(event.text)

    def announce(self, text: str) -> None:
        """Print a line above the table."""
        self._live.console.print(printable(text, keep="\n"), markup=False, highlight=False)

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
                *(format_value(row.values.get(name, "")) for name in progress.columns),
                f"{row.epoch:g}/{progress.epochs}",
                "" if row.val_bpd is None else f"{row.val_bpd:.4f}",
                ", ".join(part for part in (row.relation, row.end.partition(":")[0]) if part),
                style="bold green" if best else "dim" if row.end not in ("running", "finished") else None,
            )
        return table
