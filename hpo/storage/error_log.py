"""What a trial leaves when it is over: its facts, its pictures, its note. All of it may be done again."""

import traceback
from pathlib import Path


def log_traceback(whose: str, log: Path) -> None:
    """Append the exception under way to the study's log, for whoever has no dashboard."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{whose}\n{traceback.format_exc()}\n")
