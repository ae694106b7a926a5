"""Renaming the folder of an earlier study or run."""

import datetime
import itertools
from pathlib import Path


def move_aside(folder: Path) -> Path | None:
    """Rename a folder to `<name>-<date>-<time>`; return its new path, or None if there is no such folder."""
    if not folder.exists():
        return None
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    suffixes = itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
    candidates = (folder.with_name(f"{folder.name}-{stamp}{suffix}") for suffix in suffixes)
    return folder.rename(next(path for path in candidates if not path.exists()))
