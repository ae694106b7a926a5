"""A study's artifact store, Optuna's own: which files belong to a study or a trial, and where they lie."""

from pathlib import Path

from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.paths import StudyPaths


def store(paths: StudyPaths) -> FileSystemArtifactStore:
    """The store; its folder is made where it is missing."""
    paths.artifacts.mkdir(parents=True, exist_ok=True)
    return FileSystemArtifactStore(paths.artifacts)


def files_of(owner: Study | FrozenTrial, study: Study, paths: StudyPaths) -> dict[str, Path]:
    """By the file's name, where an artifact of the study or of one of its trials lies; lost ones are left out."""
    metas = get_all_artifact_meta(owner, storage=study._storage)
    # In the order in which they came: of two of one name the later one counts.
    places = {meta.filename: paths.artifacts / meta.artifact_id for meta in metas}
    return {name: place for name, place in places.items() if place.exists()}
