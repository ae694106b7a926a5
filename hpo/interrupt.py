"""Ctrl-C and SIGTERM: once to stop at the next safe point, twice to stop at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether somebody asked to stop."""

    requested = False


@contextmanager
def graceful(announce: Callable[[], None]) -> Iterator[Interrupt]:
    """Catch the first signal, announce it and remember it; the second raises KeyboardInterrupt."""
    interrupt = Interrupt()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if interrupt.requested:
            raise KeyboardInterrupt
        interrupt.requested = True
        announce()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
