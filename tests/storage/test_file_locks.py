"""Locks between processes."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpo.storage.file_locks import NoLocks, hold_lock, is_locked, wait_for_lock

PROGRAM = """
import sys
from pathlib import Path
from hpo.storage.file_locks import Busy, hold_lock
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


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_named_with_the_remedy(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    lock = tmp_path / "results" / ".small.lock"
    with hold_lock(lock, "results/small"):
        pass
    monkeypatch.setattr("fcntl.flock", flock)
    for locked in (hold_lock(lock, "results/small"), wait_for_lock(lock)):
        with pytest.raises(
            NoLocks, match=f"{lock.parent}: this file system has no locks.*put results/ on a local disk"
        ):
            locked.__enter__()
    assert not is_locked(lock), "status works without locks"
