"""Exit codes of the commands, and the messages that go with them."""

import functools
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import typer

from hpo.cli.console import errors
from hpo.cli.json_lines.events import Error
from hpo.cli.json_lines.output import emit, json_lines
from hpo.workers.signals import sigterm_as_keyboard_interrupt
from model.errors import FIX_AND_RUN_AGAIN, UserError
from model.printable import printable

INTERNAL_ERROR, USER_ERROR, INTERRUPTED = 1, 2, 130
# As Rich has it where lines for people cannot be printed.
CLOSED_OUTPUT = 1
_BUG = "This is a bug in this program; please report these lines."


def reports_errors(stopped: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator for commands that turns every exception into a message and an exit code.

    Args:
        stopped: Message after Ctrl-C and SIGTERM, which exit with 130.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:
            with json_lines(kwargs.get("as_json", False)):
                _run(lambda: command(*args, **kwargs), stopped)

        return run

    return decorate


def _run(command: Callable[[], None], stopped: str) -> None:
    """Run a command; turn an exception into a message and an exit code."""
    try:
        with sigterm_as_keyboard_interrupt():
            # Imported late, as below: `--help` is answered without Optuna and torch.
            from hpo.optuna_logging import silence_optuna

            silence_optuna()
            command()
    except BrokenPipeError:
        # Whoever read the output has gone. Python would complain when it flushes the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(CLOSED_OUTPUT) from None
    except UserError as error:
        _fail(str(error), USER_ERROR)
    except OSError as error:
        _fail(_file_message(error), USER_ERROR)
    except KeyboardInterrupt:
        _fail(stopped, INTERRUPTED)
    except typer.Exit:
        raise
    except Exception as error:
        message = _message(error)
        if message is None:
            _fail(f"{traceback.format_exc()}{_BUG}", INTERNAL_ERROR)
        _fail(message, USER_ERROR)


def _file_message(error: OSError) -> str:
    location = f"{Path(str(error.filename))}: " if error.filename is not None else ""
    return f"{location}{error.strerror or ' '.join(str(error).split())}; {FIX_AND_RUN_AGAIN}"


def _message(error: Exception) -> str | None:
    """Return the message for a damaged database or an allocation that failed; None for any other error."""
    from hpo.storage.database import DATABASE_ERRORS, reason_of
    from model.device import is_out_of_memory

    if isinstance(error, DATABASE_ERRORS):
        return f"the study's database: {reason_of(error)}; {FIX_AND_RUN_AGAIN}"
    return _memory_message(error) if is_out_of_memory(error) else None


def _memory_message(error: Exception) -> str:
    reason = str(error).partition("\n")[0]
    return (
        f"out of memory{f' ({reason})' if reason else ''}; try a smaller batch_size or model.channels, or fewer workers"
    )


def _fail(message: str, code: int) -> NoReturn:
    errors.print(printable(message if code != USER_ERROR else f"error: {message}", keep="\n"), markup=False)
    emit(Error(printable(message, keep="\n"), code))
    raise typer.Exit(code)
