"""Files of a study and its trials in Optuna's artifact store, where the dashboard shows them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.artifacts import upload_artifact
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from hpo.storage.backend import backend_of
from hpo.storage.interface import WritableStore
from hpo.storage.paths import StudyPaths
from hpo.storage.tables.study_attributes import system_attribute_names, system_attributes

Owner = Study | Trial | FrozenTrial
# Optuna describes an artifact in a system attribute of its owner; the key is this prefix and the artifact's id.
_PREFIX = "artifacts:"
_FILE_NAME = re.compile(r"(\.?)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.\d+)?")
# An unreferenced file that is younger than this may belong to an upload that the dashboard is still receiving.
_MAX_UPLOAD_S = 600
_N_NAMED = 3


def artifact_store(paths: StudyPaths) -> WritableStore:
    """Return the artifact store of a study."""
    return backend_of(paths).files.artifact_store()


def upload_or_replace(owner: Study | Trial, study: Study, file: Path, paths: StudyPaths) -> None:
    """Upload a file as an artifact under its own name; an artifact of this name gets the new content and keeps its id.

    So an upload can be repeated: after a kill, or when a model is retrained.
    """
    artifact_id = _ids(_attributes(owner, study)).get(file.name)
    if artifact_id is None:
        upload_artifact(artifact_store=artifact_store(paths), file_path=str(file), study_or_trial=owner)
        return
    with file.open("rb") as content:
        artifact_store(paths).write(artifact_id, content)


def artifact_files(owner: Owner, study: Study, paths: StudyPaths) -> dict[str, Path]:
    """Return the paths of the artifacts of a study or trial, by file name; missing files are left out."""
    ids = _ids(_attributes(owner, study))
    return _existing(ids, paths, artifact_names(paths))


def artifact_names(paths: StudyPaths) -> frozenset[str]:
    """Return the names of all files in the artifact store, for `trial_artifact_files` of many trials."""
    return backend_of(paths).files.artifact_names()


def trial_artifact_files(trial: FrozenTrial, paths: StudyPaths, existing: frozenset[str]) -> dict[str, Path]:
    """Return the paths of an ended trial's artifacts, by file name; those not among the `existing` are left out."""
    return _existing(_ids(trial.system_attrs), paths, existing)


def dashboard_url(owner: Study | Trial, study: Study, name: str) -> str | None:
    """Return the path, on the dashboard's own host, where it serves an artifact; None if there is no such artifact."""
    # Imported late: it brings scikit-learn with it.
    from optuna_dashboard.artifact import get_artifact_path

    artifact_id = _ids(_attributes(owner, study)).get(name)
    return str(get_artifact_path(owner, artifact_id)) if artifact_id else None


def missing_artifacts_notice(study: Study, paths: StudyPaths) -> str | None:
    """Return one line on the artifacts of the study and of ended trials whose files are missing; None if none is."""
    ended = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    owners = [("the study", _attributes(study, study)), *((f"trial {t.number}", t.system_attrs) for t in ended)]
    existing = artifact_names(paths)
    referenced = [
        (f"{name} of {owner_name}", artifact_id)
        for owner_name, attributes in owners
        for name, artifact_id in _ids(attributes).items()
    ]
    missing = [name for name, artifact_id in referenced if artifact_id not in existing]
    if not missing:
        return None
    named = ", ".join(missing[:_N_NAMED]) + (", ..." if len(missing) > _N_NAMED else "")
    return (
        f"{paths.artifacts}: {len(missing)} of {len(referenced)} files of the study are missing ({named}); "
        "restore them from a backup to see them in the dashboard. The search does not need them"
    )


def remove_unreferenced_files(study: Study, paths: StudyPaths) -> int:
    """Remove files that no study in the database refers to, left by killed uploads; return the bytes freed."""
    n_bytes, files = 0, backend_of(paths).files
    # Of every study in the database: the dashboard copies a study to rename it.
    referenced = {name.rpartition(":")[2] for name in system_attribute_names(study, containing=_PREFIX)}
    for file in files.stored_artifacts():
        match = _FILE_NAME.fullmatch(file.name)
        is_referenced = not match or (not match[1] and match[2] in referenced)
        if not is_referenced and file.age_s > _MAX_UPLOAD_S:
            files.remove_artifact(file.name)
            n_bytes += file.n_bytes
    return n_bytes


def _existing(ids: Mapping[str, str], paths: StudyPaths, existing: frozenset[str]) -> dict[str, Path]:
    files = backend_of(paths).files
    return {name: files.artifact_path(artifact_id) for name, artifact_id in ids.items() if artifact_id in existing}


def _ids(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return artifact ids by file name. The later of two of one name counts; one deleted in the dashboard does not."""
    descriptions = [json.loads(value) for key, value in attributes.items() if key.startswith(_PREFIX)]
    return {
        description["filename"]: description["artifact_id"] for description in descriptions if description is not None
    }


def _attributes(owner: Owner, study: Study) -> dict[str, Any]:
    if isinstance(owner, Study):
        return system_attributes(owner, _PREFIX)
    return study._storage.get_trial_system_attrs(owner._trial_id)
