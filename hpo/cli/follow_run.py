"""Follow one training run in the terminal."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from hpo.cli.console import STOPPING, print_lines, print_notices
from hpo.cli.json_lines.events import Drawing, RunReported
from hpo.cli.json_lines.output import emit, is_json

if TYPE_CHECKING:
    from hpo.runs.drawing_steps import DrawingStarted
    from hpo.runs.full_length_run import RunEvent, RunFinished, RunStarted
    from model.training.training_loop import EpochMetrics


def follow_run(events: "Iterator[RunEvent]", n_epochs: int) -> "RunFinished":
    """Print the events of a run and return the last one.

    Raises: KeyboardInterrupt: after the epoch in which a user asked to stop.
    """
    from hpo.runs.drawing_steps import DrawingStarted
    from hpo.runs.full_length_run import RunFinished
    from hpo.workers.signals import catch_stop_signals

    with catch_stop_signals(lambda: print_notices(STOPPING)) as request:
        for event in events:
            if isinstance(event, RunFinished):
                return event
            _show(event, n_epochs)
            if request.requested:
                raise KeyboardInterrupt
            # Scoring and drawing, which follow the last epoch, start again from the beginning after an interruption.
            request.at_once = isinstance(event, DrawingStarted) or event.epoch >= n_epochs
    raise AssertionError("a run ends with RunFinished")


def _show(event: "RunStarted | EpochMetrics | DrawingStarted", n_epochs: int) -> None:
    """Print an event, as JSON or as lines."""
    from hpo.runs.drawing_steps import DrawingStarted
    from hpo.runs.full_length_run import RunStarted

    if isinstance(event, RunStarted):
        print_notices(*_start_lines(event))
    elif is_json():
        emit(Drawing(event.name) if isinstance(event, DrawingStarted) else RunReported(asdict(event)))
    else:
        print_lines(f"drawing {event.name}" if isinstance(event, DrawingStarted) else _epoch_line(event, n_epochs))


def _start_lines(started: "RunStarted") -> list[str]:
    resumed = [f"Resuming after epoch {started.epoch:g}"] if started.epoch else []
    return [*([started.notice] if started.notice else []), *resumed]


def _epoch_line(metrics: "EpochMetrics", n_epochs: int) -> str:
    return (
        f"epoch {metrics.epoch:g}/{n_epochs}: val_bpd {metrics.val_bpd:.4f} (rate {metrics.val_rate_nats:.1f} nats, "
        f"mse {metrics.val_mse:.5f}), {metrics.images_per_second:,.0f} images/s"
    )
