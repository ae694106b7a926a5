"""One process at a time works on a study; the kernel knows at once when it is gone."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpo.study import StudyError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock while the block runs.

    Raises: StudyError: a living process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudyError(
                f"{path}: another process is at work on this study; wait for it or stop it first"
            ) from None
        yield
