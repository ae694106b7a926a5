"""Results as lines of JSON, added as they come: what was interrupted goes on."""

import fcntl
import json
from pathlib import Path
from typing import Any


def read(path: Path) -> list[dict[str, Any]]:
    """Every result so far; a last line that was torn by a kill is left out."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def append(path: Path, result: dict[str, Any]) -> None:
    """Add one."""
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        before = file.read()
        if not before.endswith("\n") and before:
            file.truncate(before.rfind("\n") + 1)
        file.write(json.dumps(result) + "\n")
