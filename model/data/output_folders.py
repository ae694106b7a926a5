"""Recognises folders that this program wrote, so that its pictures are not taken for training images."""

from pathlib import Path

# By content, since the user names the folders. A record of a run has this key, and no other program's YAML does. The
# database of a study defines Optuna's tables in its first pages; while it is open, in those of its write-ahead log.
_RECORD_KEY = b"\nreconstruction_interval:"
_PATTERNS, _TABLE = ("*.yaml", "*.db", "*.db-wal"), b"CREATE TABLE trial"
_N_BYTES = 262_144


def is_output_folder(folder: Path) -> bool:
    """Return True if the folder holds a run or a study of this program, finished or not."""
    try:
        return any(_is_ours(path) for pattern in _PATTERNS for path in folder.glob(pattern))
    except OSError:
        return False


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        beginning = file.read(_N_BYTES)
    return _RECORD_KEY in beginning or _TABLE in beginning
