"""The terminal, the only place that prints or exits: how work is followed, and how what goes wrong is told."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hpo.cli.console import say

if TYPE_CHECKING:
    from hpo.runs.training_run import RunEvent, RunFinished, RunStarted
    from model.training.training_loop import EpochMetrics


def follow_run(events: "Iterator[RunEvent]", n_epochs: int) -> "RunFinished":
    """Follow a run to its end, or to the end of an epoch in which somebody asked to stop."""
    from hpo.runs.training_run import RunFinished, RunStarted
    from hpo.workers.signals import catch_stop_signals
    from model.training.training_loop import EpochMetrics

    with catch_stop_signals(
        lambda: say("Stopping after the epoch under way; Ctrl-C again stops at once.")
    ) as interrupt:
        for event in events:
            if isinstance(event, RunFinished):
                return event
            say(*(_beginning(event) if isinstance(event, RunStarted) else [_epoch_line(event, n_epochs)]))
            if interrupt.requested:
                raise KeyboardInterrupt
            # What is left, scoring and drawing, is done again where it is left.
            interrupt.at_once = isinstance(event, EpochMetrics) and event.epoch >= n_epochs
    raise AssertionError("a run ends in its result")


def _beginning(begun: "RunStarted") -> list[str]:
    goes_on = [f"Going on after epoch {begun.epoch:g}"] if begun.epoch else []
    return [*([begun.notice] if begun.notice else []), *goes_on]


def _epoch_line(metrics: "EpochMetrics", n_epochs: int) -> str:
    return (
        f"epoch {metrics.epoch:g}/{n_epochs}: val_bpd {metrics.val_bpd:.4f} (rate {metrics.val_rate_nats:.1f} nats, "
        f"mse {metrics.val_mse:.5f}), {metrics.images_per_second:,.0f} images/s"
    )
