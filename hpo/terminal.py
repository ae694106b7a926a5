"""The terminal, the only place that prints or exits: how work is followed, and how what goes wrong is told."""

import contextlib
import functools
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from hpo.database import DATABASE_ERRORS, reason_of
from hpo.interrupt import terminated_like_interrupted
from model.errors import UserError

if TYPE_CHECKING:
    from hpo.run import Begun, Event, Finished
    from hpo.tune import Opened
    from model.train import EpochMetrics

OUR_FAULT, USER_FAULT, INTERRUPTED = 1, 2, 130
_REMEDY = "mend that and run the same command again"

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def say(*lines: str) -> None:
    """Print each as one line."""
    for line in lines:
        console.print(line, markup=False)


def tidy(stopped: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """One clear message and the right exit code for everything that can go wrong; `stopped` is said on Ctrl-C."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                with terminated_like_interrupted():
                    command(*args, **kwargs)
            except UserError as error:
                _fail(str(error), USER_FAULT)
            except OSError as error:
                _fail(_about_files(error), USER_FAULT)
            except DATABASE_ERRORS as error:
                _fail(f"the study's database: {reason_of(error)}; {_REMEDY}", USER_FAULT)
            except KeyboardInterrupt:
                _fail(stopped, INTERRUPTED)
            except typer.Exit:
                raise
            except Exception as error:
                if _is_out_of_memory(error):
                    _fail(_about_memory(error), USER_FAULT)
                _fail(f"{traceback.format_exc()}This is a fault of ours; please report these lines.", OUR_FAULT)

        return run

    return decorate


def follow_run(events: "Iterator[Event]", n_epochs: int) -> "Finished":
    """Follow a run to its end, or to the end of an epoch in which somebody asked to stop."""
    from hpo.interrupt import graceful
    from hpo.run import Begun, Finished
    from model.train import EpochMetrics

    with graceful(lambda: say("Stopping after the epoch under way; Ctrl-C again stops at once.")) as interrupt:
        for event in events:
            if isinstance(event, Finished):
                return event
            say(*(_beginning(event) if isinstance(event, Begun) else [_epoch_line(event, n_epochs)]))
            if interrupt.requested:
                raise KeyboardInterrupt
            # What is left, scoring and drawing, is done again where it is left.
            interrupt.at_once = isinstance(event, EpochMetrics) and event.epoch >= n_epochs
    raise AssertionError("a run ends in its result")


def follow_trials(opened: "Opened", n_workers: int) -> bool:
    """Work until the budget is spent; return whether somebody asked to stop before."""
    from hpo.configurations import best_of, configurations_of, how_it_ended, is_begun, is_pruned
    from hpo.crew import assemble
    from hpo.display import LiveTable, PlainLines, Progress
    from hpo.interrupt import graceful
    from hpo.search_space import searched
    from hpo.study import ended
    from hpo.study_page import kept_up

    place = opened.place
    over = ended(place.study)
    progress = Progress(
        columns=list(searched(place.config.hyperparameters)),
        epochs=place.config.training.epochs,
        n_total=opened.budget.trials,
        deadline=opened.deadline,
        find_best=lambda: best_of(configurations_of(place.study)),
        begun={trial.number for trial in place.study.get_trials(deepcopy=False) if is_begun(trial)},
        n_ended=len(over),
        n_pruned=sum(is_pruned(how_it_ended(trial)) for trial in over),
    )
    screen = LiveTable(console, progress) if console.is_terminal else PlainLines(console, progress)
    team = assemble(opened, n_workers)

    def stop() -> None:
        screen.announce("Stopping after the epoch under way; Ctrl-C again stops at once.")
        team.stop()

    with screen, graceful(stop) as interrupt, contextlib.closing(team.events()) as events:
        for event in kept_up(events, place):
            screen.show(event)
    return interrupt.requested


def _beginning(begun: "Begun") -> list[str]:
    goes_on = [f"Going on after epoch {begun.epoch:g}"] if begun.epoch else []
    return [*([begun.notice] if begun.notice else []), *goes_on]


def _epoch_line(metrics: "EpochMetrics", n_epochs: int) -> str:
    return (
        f"epoch {metrics.epoch:g}/{n_epochs}: val_bpd {metrics.val_bpd:.4f} (rate {metrics.val_rate_nats:.1f} nats, "
        f"mse {metrics.val_mse:.5f}), {metrics.images_per_second:,.0f} images/s"
    )


def _about_files(error: OSError) -> str:
    where = f"{Path(str(error.filename))}: " if error.filename is not None else ""
    return f"{where}{error.strerror or ' '.join(str(error).split())}; {_REMEDY}"


def _is_out_of_memory(error: Exception) -> bool:
    from model.runtime import is_out_of_memory

    return is_out_of_memory(error)


def _about_memory(error: Exception) -> str:
    reason = str(error).partition("\n")[0]
    return (
        f"out of memory{f' ({reason})' if reason else ''}; try a smaller batch_size or model.channels, or fewer workers"
    )


def _fail(message: str, code: int) -> None:
    errors.print(message if code != USER_FAULT else f"error: {message}", markup=False)
    raise typer.Exit(code)
