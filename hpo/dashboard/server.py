"""Serves a study, or all studies, in optuna-dashboard."""

import contextlib
import ipaddress
import socket
import time
from dataclasses import replace
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication

import optuna_dashboard

from hpo.dashboard.access_token import new_token, with_token
from hpo.dashboard.all_studies_app import app_of_all
from hpo.dashboard.guarded_app import guarded
from hpo.dashboard.request_guard import Access
from hpo.dashboard.served_files import ServedFiles
from hpo.storage.backend import backend_of
from hpo.storage.database import StudyError
from hpo.storage.paths import StudyPaths
from hpo.storage.side_by_side.studies_in_results import StudiesInResults

# Seconds for a client to read an answer. A body of 32 MiB takes 0.1 s on the loopback interface.
_CLOSING_S = 2.0


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
    files = ServedFiles(backend.files.artifact_store())
    app = optuna_dashboard.wsgi(backend.database.open_storage(), artifact_store=files)
    return _listen(app, port, Access(host, is_read_only=is_read_only))


def listen_with_all(studies: StudiesInResults, host: str, port: int) -> Server:
    """Return a server of all studies below `results/`, which changes none; else as `listen`.

    Raises: StudyError: the host cannot be bound.
    """
    return _listen(app_of_all(studies), port, Access(host, shows_all=True))


def _listen(app: WSGIApplication, port: int, access: Access) -> Server:
    host = access.host
    server_class = _IPv6Server if ":" in host else Server
    for candidate in (port, 0):
        try:
            server = make_server(host, candidate, app, server_class=server_class, handler_class=_SilentHandler)
        except OSError as error:
            last_error = error
            continue
        is_loopback = ipaddress.ip_address(str(server.server_address[0])).is_loopback
        server.access = replace(access, token=None if is_loopback else new_token())
        server.set_app(guarded(app, server.access))
        return server
    raise StudyError(f"--host {host}: cannot be bound ({last_error}); use 127.0.0.1")


def notice(access: Access) -> str | None:
    """Return a notice on what others can do if other machines can reach the dashboard, else None."""
    if access.token is None:
        return None
    can = "see" if access.is_read_only or access.shows_all else "see, change and delete"
    what = "all studies" if access.shows_all else "the study"
    return (
        f"Other machines can reach this dashboard: whoever has its address with the token can {can} {what}. "
        "The connection is not encrypted."
    )
