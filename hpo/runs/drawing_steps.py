"""Drawing after a training, step by step: a step that fails neither ends the run nor prevents the other steps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hpo.storage.error_log import attempt


@dataclass(frozen=True)
class DrawingStarted:
    """Start of a step, such as "latent maps"."""

    name: str


@dataclass(frozen=True)
class DrawingFailed:
    """A step that an unforeseen error ended; the traceback is in the file that the message names."""

    message: str


def draw_each(steps: Mapping[str, Callable[[], None]], log: Path) -> Iterator[DrawingStarted | DrawingFailed]:
    """Call every step, by name.

    Raises: OSError: a file cannot be written; the same command tries again.
    """
    for name, draw in steps.items():
        yield DrawingStarted(name)
        message = attempt(draw, subject=name, heading=name, log=log)
        if message:
            yield DrawingFailed(message)
