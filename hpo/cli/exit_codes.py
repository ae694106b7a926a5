"""Exit codes of the commands, and the messages that go with them."""

import functools
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from hpo.cli.console import errors
from hpo.storage.database import DATABASE_ERRORS, FIX_AND_RUN_AGAIN, reason_of
from hpo.workers.signals import sigterm_as_keyboard_interrupt
from model.errors import UserError
from model.printable import printable

INTERNAL_ERROR, USER_ERROR, INTERRUPTED = 1, 2, 130
_BUG = "This is a bug in this program; please report these lines."


def reports_errors(stopped: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator for commands that turns every exception into a message and an exit code.

    Args:
        stopped: Message after Ctrl-C and SIGTERM, which exit with 130.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                with sigterm_as_keyboard_interrupt():
                    command(*args, **kwargs)
            except UserError as error:
                _fail(str(error), USER_ERROR)
            except OSError as error:
                _fail(_file_message(error), USER_ERROR)
            except DATABASE_ERRORS as error:
                _fail(f"the study's database: {reason_of(error)}; {FIX_AND_RUN_AGAIN}", USER_ERROR)
            except KeyboardInterrupt:
                _fail(stopped, INTERRUPTED)
            except typer.Exit:
                raise
            except Exception as error:
                if _is_out_of_memory(error):
                    _fail(_memory_message(error), USER_ERROR)
                _fail(f"{traceback.format_exc()}{_BUG}", INTERNAL_ERROR)

        return run

    return decorate


def _file_message(error: OSError) -> str:
    location = f"{Path(str(error.filename))}: " if error.filename is not None else ""
    return f"{location}{error.strerror or ' '.join(str(error).split())}; {FIX_AND_RUN_AGAIN}"


def _is_out_of_memory(error: Exception) -> bool:
    # Imported late: `--help` and a faulty study file must be answered without torch.
    from model.device import is_out_of_memory

    return is_out_of_memory(error)


def _memory_message(error: Exception) -> str:
    reason = str(error).partition("\n")[0]
    return (
        f"out of memory{f' ({reason})' if reason else ''}; try a smaller batch_size or model.channels, or fewer workers"
    )


def _fail(message: str, code: int) -> None:
    errors.print(printable(message if code != USER_ERROR else f"error: {message}", keep="\n"), markup=False)
    raise typer.Exit(code)
