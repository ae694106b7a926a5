"""Log lines of a running search, where the output is no terminal."""

from types import TracebackType

from rich.console import Console

from hpo.analysis.formatting import format_value
from hpo.cli.progress import Progress
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialReported, TrialStarted
from model.printable import printable


class PlainLog:
    """Log with a line for each event."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress

    def __enter__(self) -> "PlainLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: TrialEvent) -> None:
        """Print the lines of an event."""
        self._progress.update(event)
        for line in self._lines(event):
            self.announce(line)

    def announce(self, text: str) -> None:
        """Print a line."""
        self._console.print(printable(text, keep="\n"), markup=False, highlight=False, soft_wrap=True)

    def _lines(self, event: TrialEvent) -> list[str]:
        if isinstance(event, Notice):
            return [event.text]
        label = f"trial {event.number}"
        if isinstance(event, TrialStarted):
            values = ", ".join(f"{name} {format_value(event.values[name])}" for name in self._progress.columns)
            relation = self._progress.rows[event.number].relation or ("resumes" if event.epoch else "")
            after = f"after epoch {event.epoch:g}" if event.epoch else ""
            return [f"{' '.join(part for part in (label, relation, after) if part)}: {values}"]
        if isinstance(event, TrialReported):
            metrics = event.metrics
            epoch = f"epoch {metrics.epoch:g}/{self._progress.epochs}"
            return [f"{label}: {epoch}, val_bpd {metrics.val_bpd:.4f}, {metrics.images_per_second:,.0f} images/s"]
        assert isinstance(event, TrialEnded)
        return [f"{label}: {event.end}; {self._progress.status()}"]
