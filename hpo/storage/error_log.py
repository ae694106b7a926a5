"""The study's error log: tracebacks of unforeseen errors, and the rule which errors end up there."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hpo.storage.database import DATABASE_ERRORS
from hpo.storage.interface import Fenced
from model.errors import UserError

# Errors from input, files or the database, which have a message for the user; every other error is a bug here.
EXPECTED_ERRORS: tuple[type[Exception], ...] = (UserError, OSError, Fenced, *DATABASE_ERRORS)


def log_traceback(heading: str, log: Path) -> None:
    """Append the traceback of the exception that is being handled to the log, below a heading."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{heading}\n{traceback.format_exc()}\n")


@contextmanager
def interruptions_first() -> Iterator[None]:
    """Raise a KeyboardInterrupt again if the block ends by an error that came up while it was being handled.

    torch.save and SQLAlchemy may fail at their cleaning up, which hides that somebody has asked to stop.
    """
    try:
        yield
    except Exception as error:
        before = error.__context__
        while before:
            if isinstance(before, KeyboardInterrupt):
                raise before from None
            before = before.__context__
        raise


def attempt(function: Callable[[], object], *, subject: str, heading: str, log: Path) -> str | None:
    """Call `function`, whose failure must not end a search: it draws pictures, or writes a note or a page.

    Args:
        function: called without arguments; its result is ignored.
        subject: first words of the message, such as "its pictures".
        heading: line above the traceback in the log.
        log: file that gets the traceback of an unforeseen error.

    Returns: None, or "<subject> could not be made (<error>); see <log>" after an unforeseen error.

    Raises: EXPECTED_ERRORS: as `function` raised them.
    """
    try:
        with interruptions_first():
            function()
    except EXPECTED_ERRORS:
        raise
    except Exception as error:
        log_traceback(heading, log)
        return f"{subject} could not be made ({type(error).__name__}: {error}); see {log}"
    return None
