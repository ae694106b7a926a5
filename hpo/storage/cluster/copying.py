"""Copying a study between a machine's own folder and the place that machines share, with all its files."""

import copy
import json
from collections.abc import Mapping

from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.storage.backend import backend_of, existing_study
from hpo.storage.cluster.fenced_storage import CHECKPOINT
from hpo.storage.cluster.files import ClusterFiles
from hpo.storage.database import StudyError
from hpo.storage.local.sqlite_database import create_database
from hpo.storage.paths import StudyPaths

# optuna-dashboard keeps a trial's note among the study's attributes, under the trial's id.
_OF_A_TRIAL = "dashboard:{}:"


def copy_to_machines(study: Study, source: StudyPaths, target: StudyPaths) -> int:
    """Copy a study of this machine to where machines share it; return the number of its trials.

    Raises: StudyError: there is one of its name. FilesError: the object store cannot be used.
    """
    files = _cluster_files(target)
    _check_is_new(study.study_name, target)
    for name in backend_of(source).files.artifact_names():
        with backend_of(source).files.artifact_store().open_reader(name) as content:
            files.artifact_store().write(name, content)
    if source.ppca_baseline.exists():
        files.share(source.ppca_baseline)
    trials = copy.deepcopy(study.get_trials(deepcopy=False))
    for trial in trials:
        if source.checkpoint(trial.number).exists():
            trial.system_attrs[CHECKPOINT] = files.put_checkpoint(trial.number, source)
    _insert(study, trials, files.storage)
    return len(trials)


def copy_to_this_machine(study: Study, source: StudyPaths, target: StudyPaths) -> int:
    """Copy a study that machines share to this machine's folder; return the number of its trials.

    Raises: StudyError: there is one of its name.
    """
    files = _cluster_files(source)
    _check_is_new(study.study_name, target)
    target.folder.mkdir(parents=True, exist_ok=True)
    store = backend_of(target).files.artifact_store()
    for name in files.artifact_names():
        with files.artifact_store().open_reader(name) as content:
            store.write(name, content)
    files.fetch(target.ppca_baseline)
    trials = copy.deepcopy(study.get_trials(deepcopy=False))
    for trial in trials:
        if key := trial.system_attrs.pop(CHECKPOINT, None):
            files.get_checkpoint(key, trial.number, target)
    create_database(target.database)
    storage = backend_of(target).database.open_storage()
    assert isinstance(storage, RDBStorage), "SQLite is one"
    _insert(study, trials, storage)
    return len(trials)


def _cluster_files(paths: StudyPaths) -> ClusterFiles:
    files = backend_of(paths).files
    assert isinstance(files, ClusterFiles), "it has a location"
    return files


def _check_is_new(name: str, target: StudyPaths) -> None:
    if existing_study(name, target) is not None:
        raise StudyError(f"{target.address}: there is a study already; delete it first, or give this one another name")


def _insert(study: Study, trials: list[FrozenTrial], storage: RDBStorage) -> None:
    """Add a study with all its trials to a database in one transaction: there is never a part of it."""
    source = study._storage
    assert isinstance(source, _CachedStorage), "Optuna wraps every database in one"
    system_attributes = source.get_study_system_attrs(study._study_id)
    with _create_scoped_session(storage.scoped_session) as session:
        copied = models.StudyModel(
            study_name=study.study_name,
            directions=[models.StudyDirectionModel(direction=d, objective=n) for n, d in enumerate(study.directions)],
            user_attributes=[
                models.StudyUserAttributeModel(key=key, value_json=json.dumps(value))
                for key, value in study.user_attrs.items()
            ],
        )
        session.add(copied)
        session.flush()
        renamed = {}
        for trial in trials:
            created = storage._get_prepared_new_trial(int(copied.study_id), trial, session)
            renamed[_OF_A_TRIAL.format(trial._trial_id)] = _OF_A_TRIAL.format(created.trial_id)
        for key, value in system_attributes.items():
            attribute = {"key": _renamed(key, renamed), "value_json": json.dumps(value)}
            session.add(models.StudySystemAttributeModel(study_id=copied.study_id, **attribute))


def _renamed(key: str, renamed: Mapping[str, str]) -> str:
    """Return the key of a study's attribute with the trial's new id, if it has one."""
    parts = key.split(":", 2)
    prefix = ":".join(parts[:2]) + ":"
    return renamed[prefix] + parts[2] if prefix in renamed else key
