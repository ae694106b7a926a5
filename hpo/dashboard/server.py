"""Serves a study in optuna-dashboard."""

from socketserver import ThreadingMixIn
from typing import Any, BinaryIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna_dashboard
from bottle import HTTPError
from optuna.artifacts.exceptions import ArtifactNotFound

from hpo.storage.artifacts import WholeFiles
from hpo.storage.database import StudyError, storage
from hpo.storage.paths import StudyPaths

_LOOPBACK = ("127.0.0.1", "localhost")


class ServedFiles(WholeFiles):
    """The artifact store as the server reads it: a lost file is the web's `404`, not a fault."""

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The file's content.

        Raises: HTTPError: it is not there.
        """
        try:
            return super().open_reader(artifact_id)
        except ArtifactNotFound:
            raise HTTPError(404, "This file is lost.") from None


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection: browsers open some in advance, and one that says nothing must block no other.

    The main thread only listens, so that Ctrl-C ends it at once.
    """

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """Does not print a line for every request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def listen(paths: StudyPaths, host: str, port: int) -> Server:
    """A server of the study that listens on `port`, or on any free one where that is taken.

    Raises: StudyError: nothing can be bound on this host.
    """
    app = optuna_dashboard.wsgi(storage(paths), artifact_store=ServedFiles(paths.artifacts))
    for wanted in (port, 0):
        try:
            return make_server(host, wanted, app, server_class=Server, handler_class=_Quiet)
        except OSError as error:
            refusal = error
    raise StudyError(f"--host {host}: cannot be bound ({refusal}); use 127.0.0.1")


def warning(host: str) -> str | None:
    """What whoever opens the dashboard to others must know."""
    if host in _LOOPBACK:
        return None
    return "optuna-dashboard has no authentication: whoever reaches this address can change and delete the study."
