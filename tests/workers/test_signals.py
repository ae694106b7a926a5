"""Requests to stop by signals."""

import io
import os
import signal

import pytest

from hpo.workers.signals import catch_stop_signals


class SignallingStream(io.RawIOBase):
    """A stream whose first write receives SIGINT, as a print does that Ctrl-C interrupts."""

    def __init__(self) -> None:
        self.written = b""

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        is_first = not self.written
        self.written += bytes(data)
        if is_first:
            os.kill(os.getpid(), signal.SIGINT)
        return len(data)


def test_a_signal_during_a_print_is_announced_after_it() -> None:
    stream = SignallingStream()
    output = io.TextIOWrapper(io.BufferedWriter(stream), write_through=True)  # type: ignore[type-var]
    with catch_stop_signals(lambda: print("stopping", file=output, flush=True)) as request:
        print("epoch 1", file=output, flush=True)
    assert request.requested
    assert stream.written == b"epoch 1\nstopping\n"


def test_the_second_signal_stops_at_once() -> None:
    announced = []
    with pytest.raises(KeyboardInterrupt), catch_stop_signals(lambda: announced.append("once")):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert announced == ["once"]


def test_without_a_signal_nothing_is_announced() -> None:
    with catch_stop_signals(lambda: pytest.fail("announced")) as request:
        pass
    assert not request.requested
