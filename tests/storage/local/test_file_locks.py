"""Locks between processes."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from hpo.storage.local.file_locks import Busy, NoLocks, hold_lock, is_locked, try_lock, wait_for_lock

PROGRAM = """
import sys
from pathlib import Path
from hpo.storage.local.file_locks import Busy, hold_lock
try:
    with hold_lock(Path(sys.argv[1]), "results/small"):
        print("held")
except Busy as error:
    print(error)
"""


def hold_in_another_process(lock: Path) -> str:
    command = [sys.executable, "-c", PROGRAM, str(lock)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_lock_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "results" / ".small.lock"
    assert not is_locked(lock) and not lock.exists()
    with hold_lock(lock, "results/small"):
        assert is_locked(lock)
        refusal = hold_in_another_process(lock)
        assert refusal.startswith("results/small: another process is using it; wait until that process ends")
    assert not is_locked(lock)
    assert hold_in_another_process(lock) == "held"


def test_a_lock_is_tried_again_for_a_moment_since_asking_for_it_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, flock = tmp_path / ".small.lock", fcntl.flock
    pauses: list[float] = []
    with hold_lock(lock, "results/small"):
        monkeypatch.setattr("hpo.storage.local.file_locks.sleep", pauses.append)
        with pytest.raises(Busy), hold_lock(lock, "results/small"):
            pass
    assert pauses == [0.01] * 3
    refusals = iter([BlockingIOError, BlockingIOError])

    def busy_twice(file: IO[str], operation: int) -> None:
        for refusal in refusals:
            raise refusal
        flock(file, operation)

    monkeypatch.setattr("fcntl.flock", busy_twice)
    with hold_lock(lock, "results/small"):
        assert is_locked(lock)
    assert not is_locked(lock)


def test_a_lock_may_be_the_first_file_in_its_folder(tmp_path: Path) -> None:
    for name, lock in (("tried", hold_lock), ("awaited", lambda path, _: wait_for_lock(path))):
        for _ in range(2):
            with lock(tmp_path / name / "results" / ".lock", "results"):
                assert is_locked(tmp_path / name / "results" / ".lock")


def failing(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt to lock a file fail with this error."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named_with_the_remedy(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "results" / ".small.lock"
    with hold_lock(lock, "results/small"):
        pass
    failing(number, monkeypatch)
    for locked in (hold_lock(lock, "results/small"), wait_for_lock(lock)):
        with pytest.raises(NoLocks) as error:
            locked.__enter__()
        assert str(error.value) == (
            f"{lock.parent}: this file system has no locks, which keep two processes from the same study; "
            "put results/ on a local disk (results may be a symbolic link to a folder there)"
        )
    assert not is_locked(lock), "status works without locks"


def test_another_error_of_the_file_system_is_not_taken_for_missing_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / ".small.lock"
    lock.touch()
    failing(errno.EIO, monkeypatch)
    for ask in (try_lock, is_locked, lambda path: wait_for_lock(path).__enter__()):
        with pytest.raises(OSError, match="Input/output error"):
            ask(lock)
