"""One process at a time works in a place; the kernel knows at once when it is gone."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import UserError


class Busy(UserError):
    """A living process is at work there."""


@contextmanager
def held(path: Path, whose: str) -> Iterator[None]:
    """Hold the lock at `path` while the block runs; `whose` says what it guards.

    Raises: Busy: a living process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"{whose}: another process is at work on it; wait for it or stop it first") from None
        yield
