"""Locks between processes."""

import subprocess
import sys
from pathlib import Path

from hpo.storage.file_locks import hold_lock, is_locked

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
