"""Serves a study in optuna-dashboard."""

import contextlib
import ipaddress
import socket
import time
from socketserver import ThreadingMixIn
from typing import Any, BinaryIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna_dashboard
from bottle import HTTPError
from optuna.artifacts.exceptions import ArtifactNotFound

from hpo.dashboard.access_token import new_token, with_token
from hpo.dashboard.guarded_app import guarded
from hpo.dashboard.request_guard import Access
from hpo.storage.backend import backend_of
from hpo.storage.database import StudyError
from hpo.storage.interface import WritableStore
from hpo.storage.paths import StudyPaths

# Seconds for a client to read an answer. A body of 32 MiB takes 0.1 s on the loopback interface.
_CLOSING_S = 2.0


class ServedFiles:
    """The artifact store for the server: a lost file is a `404`, not an internal error."""

    def __init__(self, store: WritableStore) -> None:
        self._store = store

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file of the store.

        Raises: HTTPError: the file does not exist.
        """
        try:
            return self._store.open_reader(artifact_id)
        except ArtifactNotFound:
            raise HTTPError(404, "This file is lost.") from None

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write a file that a browser sends."""
        self._store.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Remove a file that is deleted in a browser."""
        self._store.remove(artifact_id)


class Server(ThreadingMixIn, WSGIServer):
    """A server with one thread per connection: browsers open idle connections in advance, which must not block others.

    The main thread only listens, so that Ctrl-C ends the server at once.
    """

    daemon_threads = True
    access: Access

    @property
    def address(self) -> str:
        """Address that opens the dashboard, with the token if it asks for one."""
        host = self.access.host or "0.0.0.0"
        name = f"[{host}]" if self.address_family == socket.AF_INET6 else host
        return with_token(f"http://{name}:{self.server_port}", self.access.token)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection once the client has read the answer.

        If a refused body is still arriving, closing at once would reset the connection, and the client would lose the
        answer.
        """
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(_CLOSING_S)
            end = time.monotonic() + _CLOSING_S
            while request.recv(1 << 16) and time.monotonic() < end:
                pass
        self.close_request(request)


class _IPv6Server(Server):
    """The same for an IPv6 address such as `::1`."""

    address_family = socket.AF_INET6


class _SilentHandler(WSGIRequestHandler):
    """A request handler that prints nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing for a request."""


def listen(paths: StudyPaths, host: str, port: int, *, is_read_only: bool = False) -> Server:
    """Return a server of the study that listens on `port`, or on a free port if that one is in use.

    It asks for a new token if other machines can reach it.

    Raises: StudyError: the host cannot be bound.
    """
    backend = backend_of(paths)
    app = optuna_dashboard.wsgi(
        backend.database.open_storage(), artifact_store=ServedFiles(backend.files.artifact_store())
    )
    server_class = _IPv6Server if ":" in host else Server
    for candidate in (port, 0):
        try:
            server = make_server(host, candidate, app, server_class=server_class, handler_class=_SilentHandler)
        except OSError as error:
            last_error = error
            continue
        is_loopback = ipaddress.ip_address(str(server.server_address[0])).is_loopback
        server.access = Access(host, None if is_loopback else new_token(), is_read_only)
        server.set_app(guarded(app, server.access))
        return server
    raise StudyError(f"--host {host}: cannot be bound ({last_error}); use 127.0.0.1")


def notice(access: Access) -> str | None:
    """Return a notice on what others can do if other machines can reach the dashboard, else None."""
    if access.token is None:
        return None
    can = "see" if access.is_read_only else "see, change and delete"
    return (
        f"Other machines can reach this dashboard: whoever has its address with the token can {can} the study. "
        "The connection is not encrypted."
    )
