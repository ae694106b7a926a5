"""Locks on files, which the kernel releases when their process ends, however it ends."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import IO

from model.errors import UserError

# `is_locked` holds a lock for an instant itself, which must not count as another process at work.
_ATTEMPTS, _PAUSE_S = 3, 0.01


# Errors of a file system without locks, such as Lustre mounted without `flock`.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class Busy(UserError):
    """A live process holds the lock."""


class NoLocks(UserError):
    """The file system has no locks."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.parent}: this file system has no locks, which keep two processes from the same study; "
            "put results/ on a local disk (results may be a symbolic link to a folder there)"
        )


@contextmanager
def hold_lock(path: Path, guarded: str) -> Iterator[None]:
    """Hold the lock at `path` while the block runs; `guarded` names in the message what the lock protects.

    Raises: Busy: a live process holds it.
    """
    file = try_lock(path)
    if file is None:
        raise Busy(f"{guarded}: another process is using it; wait until that process ends, or stop it first")
    with file:
        yield


@contextmanager
def wait_for_lock(path: Path) -> Iterator[None]:
    """Wait for the lock at `path` and hold it while the block runs, which should take milliseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise _explained(error, path) from error
        yield


def is_locked(path: Path) -> bool:
    """Return True while a live process holds the lock at `path`. Creates no file. False where there are no locks."""
    try:
        file = path.open("r+")
    except FileNotFoundError:
        return False
    with file:
        try:
            return not _lock(file)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return False
            raise


def try_lock(path: Path) -> IO[str] | None:
    """Lock `path` and return its open file, which holds the lock until it closes; None if a live process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a")
    try:
        if _lock(file):
            return file
    except OSError as error:
        file.close()
        raise _explained(error, path) from error
    file.close()
    return None


def _explained(error: OSError, path: Path) -> OSError | NoLocks:
    return NoLocks(path) if error.errno in _NO_LOCKS else error


def _lock(file: IO[str]) -> bool:
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            sleep(_PAUSE_S)
    return False
