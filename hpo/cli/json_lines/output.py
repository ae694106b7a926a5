"""Writer of JSON lines to standard output; all other text goes to standard error meanwhile."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from pathlib import PurePath
from typing import Any

from hpo.cli.json_lines.events import EVENTS, SCHEMA, Event


class _Mode:
    """Output of the command that runs. Not a context variable: a thread prints the answer to Ctrl-C."""

    is_json = False


@contextmanager
def json_lines(is_on: bool) -> Iterator[None]:
    """Print events as JSON while the block runs, if `is_on`."""
    before, _Mode.is_json = _Mode.is_json, is_on
    try:
        yield
    finally:
        _Mode.is_json = before


def is_json() -> bool:
    """Return True if the command prints JSON."""
    return _Mode.is_json


def emit(event: Event) -> None:
    """Print an event as one line, at once; nothing unless the command prints JSON."""
    if is_json():
        line = {"event": EVENTS[type(event)], "schema": SCHEMA, **asdict(event)}
        sys.stdout.write(json.dumps(_plain(line), allow_nan=False) + "\n")
        sys.stdout.flush()


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: paths and enumerations as text, numbers that are not finite as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Enum):
        return value.name.lower()
    return str(value) if isinstance(value, PurePath) else value
