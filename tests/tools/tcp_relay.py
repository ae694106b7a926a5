"""A relay to a TCP server that can be cut: what is sent meanwhile arrives when it is joined again."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Relay:
    """A relay on a free port of the loopback interface."""

    def __init__(self, port: int) -> None:
        self._target, self._joined = port, threading.Event()
        self._joined.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Let nothing through in either direction."""
        self._joined.clear()

    def join(self) -> None:
        """Let through what has been sent, and all that follows."""
        self._joined.set()

    def close(self) -> None:
        """Accept no further connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError), source, target:
            while content := source.recv(1 << 16):
                self._joined.wait()
                target.sendall(content)


@contextlib.contextmanager
def relay_to(port: int) -> Iterator[Relay]:
    """Run a relay while the block runs."""
    relay = Relay(port)
    try:
        yield relay
    finally:
        relay.join()
        relay.close()
