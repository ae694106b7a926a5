"""The terminal, the only place that prints or exits: how work is followed, and how what goes wrong is told."""

import functools
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from hpo.cli.console import errors
from hpo.storage.database import DATABASE_ERRORS, reason_of
from hpo.workers.signals import sigterm_as_keyboard_interrupt
from model.errors import UserError

OUR_FAULT, USER_FAULT, INTERRUPTED = 1, 2, 130
_REMEDY = "mend that and run the same command again"


def reports_errors(stopped: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """One clear message and the right exit code for everything that can go wrong; `stopped` is said on Ctrl-C."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                with sigterm_as_keyboard_interrupt():
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


def _about_files(error: OSError) -> str:
    where = f"{Path(str(error.filename))}: " if error.filename is not None else ""
    return f"{where}{error.strerror or ' '.join(str(error).split())}; {_REMEDY}"


def _is_out_of_memory(error: Exception) -> bool:
    from model.device import is_out_of_memory

    return is_out_of_memory(error)


def _about_memory(error: Exception) -> str:
    reason = str(error).partition("\n")[0]
    return (
        f"out of memory{f' ({reason})' if reason else ''}; try a smaller batch_size or model.channels, or fewer workers"
    )


def _fail(message: str, code: int) -> None:
    errors.print(message if code != USER_FAULT else f"error: {message}", markup=False)
    raise typer.Exit(code)
