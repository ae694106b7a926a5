"""Artifact store of a study as the dashboard's server uses it."""

from typing import BinaryIO

from bottle import HTTPError
from optuna.artifacts.exceptions import ArtifactNotFound

from hpo.storage.interface import WritableStore


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
