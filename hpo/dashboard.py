"""Serves a study in optuna-dashboard."""

import socket
from typing import BinaryIO

import optuna_dashboard
from bottle import HTTPError
from optuna.artifacts.exceptions import ArtifactNotFound

from hpo.artifacts import WholeFiles
from hpo.paths import StudyPaths
from hpo.study import StudyError, storage

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


def find_port(host: str, wanted: int) -> int:
    """`wanted`, or any free port where it is taken.

    Raises: StudyError: nothing can be bound on this host.
    """
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                refusal = error
                continue
            return int(probe.getsockname()[1])
    raise StudyError(f"--host {host}: cannot be bound ({refusal}); use 127.0.0.1")


def warning(host: str) -> str | None:
    """What whoever opens the dashboard to others must know."""
    if host in _LOOPBACK:
        return None
    return "optuna-dashboard has no authentication: whoever reaches this address can change and delete the study."


def serve(paths: StudyPaths, host: str, port: int) -> None:
    """Serve until interrupted."""
    optuna_dashboard.run_server(storage(paths), host=host, port=port, artifact_store=ServedFiles(paths.artifacts))
