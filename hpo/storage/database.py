"""Errors of a study's database, and calls of Optuna's private API that any database answers."""

import shlex
import sqlite3
from collections.abc import Mapping
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import BaseStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.study import Study

from hpo.storage.paths import StudyPaths
from hpo.storage.tables.bulk_reading_storage import BulkReadingStorage
from hpo.user_commands import FRESH, PROGRAM, user_command
from model.errors import UserError

# Key of the user attribute with the study's fingerprint. It is written last: a study without it is incomplete.
FINGERPRINT = "identity"
# Errors of reading and writing a damaged file or on a failing disk.
DATABASE_ERRORS = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error)
# SQLite's result codes for a database that another connection uses.
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
START_OVER = f"start over with {FRESH}, which moves the folder aside"


class StudyError(UserError):
    """The study cannot be opened, or is not the requested one."""


def no_study(paths: StudyPaths, config_name: str) -> StudyError:
    """Return the error of a command that needs a study where none was created."""
    command = user_command("tune", config_name)
    if paths.location:
        command = f"{PROGRAM} tune {shlex.quote(config_name)} with the same --storage and --files"
    return StudyError(f"{paths.address}: there is no study yet; run {command}")


def removed_study(paths: StudyPaths) -> StudyError:
    """Return the error of a worker whose study was removed."""
    return StudyError(
        f"{paths.address}: was removed while trials ran; put it back, or run the same command again to start over"
    )


def is_deleted(study: Study) -> bool:
    """Return True if the study was deleted from its database, for example in the dashboard."""
    return study._study_id not in {existing._study_id for existing in study._storage.get_all_studies()}


def reason_of(error: BaseException) -> str:
    """Return SQLite's message of a database error; without one, the message of SQLAlchemy or Optuna."""
    return " ".join(str(sqlite_error(error) or error).split())[:200]


def is_busy(error: BaseException) -> bool:
    """Return True if a database error only says that other processes kept the database locked."""
    return getattr(sqlite_error(error), "sqlite_errorcode", 0) & 0xFF in _BUSY


def sqlite_error(error: BaseException) -> sqlite3.Error | None:
    """Return the error of SQLite that an error of SQLAlchemy or Optuna stands for; None if there is none."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, sqlite3.Error):
        cause = getattr(cause, "orig", None) or cause.__cause__
    return cause


def uncached(study: Study) -> BaseStorage:
    """Return a study's storage without Optuna's cache, which knows ended trials as they were when it read them."""
    storage = study._storage
    return storage._backend if isinstance(storage, _CachedStorage) else storage


def report_score(trial: optuna.trial.Trial, val_bpd: float, step: int) -> None:
    """Store a trial's score at a report point, with one objective or several."""
    if len(trial.study.directions) == 1:
        trial.report(val_bpd, step)
    else:
        # Optuna's `report` refuses several objectives, whose learning curves are just as useful.
        trial.storage.set_trial_intermediate_value(trial._trial_id, step, val_bpd)


def stored_trial(trial: optuna.trial.Trial) -> optuna.trial.FrozenTrial:
    """Return a live trial as the database has it now, without reading the other running trials."""
    return trial.storage.get_trial(trial._trial_id)


def set_user_attributes(trial: optuna.trial.Trial, attributes: Mapping[str, Any]) -> None:
    """Store several user attributes of a live trial, in one transaction if its storage is ours."""
    storage = trial.storage
    if isinstance(storage, _CachedStorage) and isinstance(storage._backend, BulkReadingStorage):
        storage._backend.set_trial_user_attributes(trial._trial_id, attributes)
        trial._cached_frozen_trial.user_attrs.update(attributes)
        return
    for name, value in attributes.items():
        trial.set_user_attr(name, value)


def know_report(trial: optuna.trial.Trial, val_bpd: float, step: int) -> None:
    """Let a live trial know a report that was stored without it: its pruner reads what the trial knows."""
    trial._cached_frozen_trial.intermediate_values[step] = val_bpd


def reopen_trial(study: Study, frozen: optuna.trial.FrozenTrial) -> optuna.trial.Trial:
    """Return a live trial, under its own number, for a running one that was read from the database."""
    return optuna.trial.Trial(study, frozen._trial_id)
