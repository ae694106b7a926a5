"""Serves a study in optuna-dashboard."""

from socketserver import ThreadingMixIn
from typing import Any, BinaryIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna_dashboard
from bottle import HTTPError
from optuna.artifacts.exceptions import ArtifactNotFound

from hpo.storage.artifacts import AtomicFileStore
from hpo.storage.database import StudyError, open_storage
from hpo.storage.paths import StudyPaths

_LOOPBACK = ("127.0.0.1", "localhost")


class ServedFiles(AtomicFileStore):
    """The artifact store for the server: a lost file is a `404`, not an internal error."""

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file of the store.

        Raises: HTTPError: the file does not exist.
        """
        try:
            return super().open_reader(artifact_id)
        except ArtifactNotFound:
            raise HTTPError(404, "This file is lost.") from None


class Server(ThreadingMixIn, WSGIServer):
    """A server with one thread per connection: browsers open idle connections in advance, which must not block others.

    The main thread only listens, so that Ctrl-C ends the server at once.
    """

    daemon_threads = True


class _SilentHandler(WSGIRequestHandler):
    """A request handler that prints nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing for a request."""


def listen(paths: StudyPaths, host: str, port: int) -> Server:
    """Return a server of the study that listens on `port`, or on a free port if that one is in use.

    Raises: StudyError: the host cannot be bound.
    """
    app = optuna_dashboard.wsgi(open_storage(paths), artifact_store=ServedFiles(paths.artifacts))
    for candidate in (port, 0):
        try:
            return make_server(host, candidate, app, server_class=Server, handler_class=_SilentHandler)
        except OSError as error:
            last_error = error
    raise StudyError(f"--host {host}: cannot be bound ({last_error}); use 127.0.0.1")


def warning(host: str) -> str | None:
    """Return a warning if other machines can reach the dashboard on this host, else None."""
    if host in _LOOPBACK:
        return None
    return "optuna-dashboard has no authentication: whoever reaches this address can change and delete the study."
