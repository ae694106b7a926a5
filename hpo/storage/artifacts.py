"""A study's artifact store, Optuna's own: which files belong to a study or a trial, and where they lie."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial
from optuna_dashboard.artifact import get_artifact_path

from hpo.storage.paths import StudyPaths
from model.atomic_files import replacing

Owner = Study | Trial | FrozenTrial
# Under this key, followed by the artifact's id, its owner's system attributes describe it: Optuna's format.
_PREFIX = "artifacts:"
_FILE_NAME = re.compile(r"(\.?)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.\d+)?")
# A file that nothing refers to may be on its way from the dashboard for so long.
_ON_ITS_WAY_S = 600
_N_NAMED = 3


class WholeFiles(FileSystemArtifactStore):
    """Optuna's store in a folder, where a file that is there is whole."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write aside, then rename, over a file that is there already."""
        with replacing(self._folder / artifact_id) as temporary, temporary.open("wb") as file:
            shutil.copyfileobj(content_body, file)


def store(paths: StudyPaths) -> WholeFiles:
    """The store of a study; its folder comes with its first file."""
    return WholeFiles(paths.artifacts)


def keep(owner: Study | Trial, study: Study, file: Path, paths: StudyPaths) -> None:
    """Make a file an artifact under its own name; one of that name gets the new content and stays the same artifact.

    So it may be done again: after a kill in its midst, or when a model is retrained.
    """
    known = _ids(owner, study).get(file.name)
    if known is None:
        upload_artifact(artifact_store=store(paths), file_path=str(file), study_or_trial=owner)
        return
    with file.open("rb") as content:
        store(paths).write(known, content)


def files_of(owner: Owner, study: Study, paths: StudyPaths) -> dict[str, Path]:
    """By the file's name, where an artifact of the study or of one of its trials lies; lost ones are left out."""
    places = {name: paths.artifacts / artifact_id for name, artifact_id in _ids(owner, study).items()}
    return {name: place for name, place in places.items() if place.exists()}


def address(owner: Study | Trial, study: Study, name: str) -> str | None:
    """Where the dashboard serves an artifact: a path on its own host, or None where there is no such artifact."""
    artifact_id = _ids(owner, study).get(name)
    return str(get_artifact_path(owner, artifact_id)) if artifact_id else None


def lost(study: Study, paths: StudyPaths) -> str | None:
    """A line on artifacts that a trial that is over, or the study, refers to and that are not there; else None."""
    over = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    owners: list[tuple[str, Owner]] = [("the study", study), *((f"trial {trial.number}", trial) for trial in over)]
    referred = [(f"{name} of {whose}", file) for whose, owner in owners for name, file in _places(owner, study, paths)]
    missing = [name for name, place in referred if not place.exists()]
    if not missing:
        return None
    named = ", ".join(missing[:_N_NAMED]) + (", ..." if len(missing) > _N_NAMED else "")
    return (
        f"{paths.artifacts}: {len(missing)} of {len(referred)} files of the study are not there ({named}); "
        "bring them back from a backup to see them in the dashboard. The search needs none of them"
    )


def remove_strays(study: Study, paths: StudyPaths) -> int:
    """Remove what an upload left that was killed midway, files that no study in the database refers to: bytes freed."""
    n_bytes = 0
    referred = {key.rpartition(":")[2] for key in _attribute_names(study) if _PREFIX in key}
    for file in paths.artifacts.glob("*"):
        found = _FILE_NAME.fullmatch(file.name)
        if found and (found[1] or found[2] not in referred) and time.time() - file.stat().st_mtime > _ON_ITS_WAY_S:
            n_bytes += file.stat().st_size
            file.unlink(missing_ok=True)
    return n_bytes


def _places(owner: Owner, study: Study, paths: StudyPaths) -> list[tuple[str, Path]]:
    return [(name, paths.artifacts / artifact_id) for name, artifact_id in _ids(owner, study).items()]


def _ids(owner: Owner, study: Study) -> dict[str, str]:
    """Ids by the files' names; of two of one name the later one counts, and one deleted in the dashboard is none."""
    attributes = _attributes(owner, study)
    described = [json.loads(value) for key, value in attributes.items() if key.startswith(_PREFIX)]
    return {one["filename"]: one["artifact_id"] for one in described if one is not None}


def _attributes(owner: Owner, study: Study) -> dict[str, Any]:
    if isinstance(owner, Study):
        return study._storage.get_study_system_attrs(owner._study_id)
    return study._storage.get_trial_system_attrs(owner._trial_id)


def _attribute_names(study: Study) -> Iterator[str]:
    """Of every study and trial in the database: the dashboard copies a study that it renames."""
    for one in study._storage.get_all_studies():
        yield from one.system_attrs
        for trial in study._storage.get_all_trials(one._study_id, deepcopy=False):
            yield from study._storage.get_trial_system_attrs(trial._trial_id)
