"""Serves a study in optuna-dashboard."""

import socket

import optuna_dashboard

from hpo.artifacts import store
from hpo.database import StudyError, storage
from hpo.paths import StudyPaths

_LOOPBACK = ("127.0.0.1", "localhost")


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
    optuna_dashboard.run_server(storage(paths), host=host, port=port, artifact_store=store(paths))
