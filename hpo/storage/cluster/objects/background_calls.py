"""Calls beside the training, such as the upload of a checkpoint: at most one for each trial."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread


class BackgroundCalls:
    """Calls in threads. An error is raised by the next `start` or `wait` of the same key."""

    def __init__(self) -> None:
        self._running: dict[int, Future[None]] = {}

    def start(self, key: int, function: Callable[[], None]) -> None:
        """Wait for the last call of this key, then call a function beside the caller."""
        self.wait(key)
        future: Future[None] = Future()
        # A process that is told to exit at once does not wait for it, as it would for the threads of an executor.
        Thread(target=_call, args=(function, future), name="background call", daemon=True).start()
        self._running[key] = future

    def wait(self, key: int) -> None:
        """Wait until the last call of this key has ended, and raise its error."""
        if future := self._running.pop(key, None):
            future.result()


def _call(function: Callable[[], None], future: Future[None]) -> None:
    try:
        function()
    # Raised again where somebody waits.
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)
