"""Locks of the kernel's: it knows at once when their holder is gone, however that ended."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import IO

from model.errors import UserError

# Whoever asks whether a lock is held has it for an instant: that must not count as being at work.
_ATTEMPTS, _PAUSE_S = 3, 0.01


class Busy(UserError):
    """A living process is at work there."""


@contextmanager
def hold_lock(path: Path, whose: str) -> Iterator[None]:
    """Hold the lock at `path` while the block runs; `whose` says what it guards.

    Raises: Busy: a living process holds it.
    """
    file = try_to_hold(path)
    if file is None:
        raise Busy(f"{whose}: another process is at work on it; wait for it or stop it first")
    with file:
        yield


@contextmanager
def wait_for_lock(path: Path) -> Iterator[None]:
    """Wait for the lock at `path`, and hold it while the block runs: for what takes milliseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock at `path`; makes no file where there is none."""
    try:
        file = path.open("r+")
    except FileNotFoundError:
        return False
    with file:
        return not _lock(file)


def try_to_hold(path: Path) -> IO[str] | None:
    """The open file whose lock is now ours until it is closed, or None where a living process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a")
    if _lock(file):
        return file
    file.close()
    return None


def _lock(file: IO[str]) -> bool:
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            sleep(_PAUSE_S)
    return False
