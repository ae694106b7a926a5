"""Ctrl-C and SIGTERM: once to stop at the next safe point, twice to stop at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether somebody asked to stop; `at_once` where there is no safe point to wait for."""

    requested = False
    at_once = False


@contextmanager
def catch_stop_signals(announce: Callable[[], None]) -> Iterator[StopRequest]:
    """Catch the first signal, announce it and remember it; the second raises KeyboardInterrupt."""
    interrupt = StopRequest()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if interrupt.requested or interrupt.at_once:
            raise KeyboardInterrupt
        interrupt.requested = True
        announce()

    with _handled(handle, signal.SIGINT, signal.SIGTERM):
        yield interrupt


@contextmanager
def ignored_signal(number: signal.Signals) -> Iterator[None]:
    """Ignore a signal; a process started meanwhile goes on ignoring it."""
    with _handled(signal.SIG_IGN, number):
        yield


@contextmanager
def sigterm_as_keyboard_interrupt() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, as Ctrl-C does."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(stop, signal.SIGTERM):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None] | signal.Handlers, *numbers: int) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
