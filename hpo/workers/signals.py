"""Ctrl-C and SIGTERM: the first stops at the next safe point, the second at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType


class StopRequest:
    """State of a request to stop.

    `requested` is True after the first signal; `at_once` is set while there is no safe point to wait for.
    """

    requested = False
    at_once = False


@contextmanager
def catch_stop_signals(announce: Callable[[], None]) -> Iterator[StopRequest]:
    """Catch the first signal: set `requested`, and call `announce` in a thread. The second raises KeyboardInterrupt.

    A signal handler runs in the main thread and may have interrupted a print there; a print in the handler would then
    raise RuntimeError (reentrant call).
    """
    request, wake = StopRequest(), Event()

    def announce_request() -> None:
        wake.wait()
        if request.requested:
            announce()

    announcer = Thread(target=announce_request, daemon=True)

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if request.requested or request.at_once:
            raise KeyboardInterrupt
        request.requested = True
        wake.set()

    announcer.start()
    try:
        with _handled(handle, signal.SIGINT, signal.SIGTERM):
            yield request
    finally:
        wake.set()
        announcer.join()


@contextmanager
def ignored_signal(number: signal.Signals) -> Iterator[None]:
    """Ignore a signal while the block runs; a process that is started in the block ignores it until it ends."""
    with _handled(signal.SIG_IGN, number):
        yield


@contextmanager
def sigterm_as_keyboard_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, as on Ctrl-C, while the block runs."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(stop, signal.SIGTERM):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None] | signal.Handlers, *numbers: int) -> Iterator[None]:
    previous_handlers = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in previous_handlers.items():
            signal.signal(number, previous)
