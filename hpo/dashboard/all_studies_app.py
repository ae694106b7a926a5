"""optuna-dashboard's app with all studies, each kept in a database and an artifact store of its own."""

import re
from collections.abc import Iterable
from typing import BinaryIO
from wsgiref.types import StartResponse, WSGIApplication

import optuna_dashboard
from optuna.artifacts.exceptions import ArtifactNotFound

from hpo.dashboard.request_guard import Environ
from hpo.storage.side_by_side.combined_storage import CombinedStorage, shared_trial_id
from hpo.storage.side_by_side.studies_in_results import StudiesInResults

_ARTIFACT = re.compile(r"/artifacts/\d+(?:/(\d+))?/([0-9a-fA-F-]+)/*")


def app_of_all(studies: StudiesInResults) -> WSGIApplication:
    """Return an app that shows the studies and whose calls that change one fail: the guard refuses them before."""
    app: WSGIApplication = optuna_dashboard.wsgi(CombinedStorage(studies), artifact_store=_AllArtifacts(studies))

    def app_with_shared_paths(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = shared_path(environ.get("PATH_INFO", ""), studies)
        if path is None:
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"This file is lost."]
        return app(environ | {"PATH_INFO": path}, start_response)

    return app_with_shared_paths


def shared_path(path: str, studies: StudiesInResults) -> str | None:
    """Return the path of an artifact with its study's number and the shared id of its trial; any other path unchanged.

    The notes of a study name its artifacts with the ids in its own database. None if no study has the file.
    """
    match = _ARTIFACT.fullmatch(path)
    if match is None:
        return path
    study = studies.with_artifact(match[2])
    if study is None:
        return None
    trial = "" if match[1] is None else f"/{shared_trial_id(study.number, int(match[1]))}"
    return f"/artifacts/{study.number}{trial}/{match[2]}"


class _AllArtifacts:
    """The artifact stores of all studies, for reading."""

    def __init__(self, studies: StudiesInResults) -> None:
        self._studies = studies

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file of the study that has it. Raises: ArtifactNotFound: none has, any more."""
        study = self._studies.with_artifact(artifact_id)
        if study is None:
            raise ArtifactNotFound(artifact_id)
        return study.artifacts.open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refuse."""
        raise NotImplementedError

    def remove(self, artifact_id: str) -> None:
        """Refuse."""
        raise NotImplementedError
