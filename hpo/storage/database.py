"""A study's SQLite database: created here, opened by Optuna, and checked for damage and foreign contents."""

import contextlib
import os
import shlex
import sqlite3
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages._rdb import models
from optuna.study import Study

from hpo.config.schema import SAMPLE_SUFFIX
from hpo.storage.paths import StudyPaths
from hpo.storage.tables.bulk_reading_storage import BulkReadingStorage
from model.errors import FIX_AND_RUN_AGAIN, UserError

# Key of the user attribute with the study's fingerprint. It is written last: a study without it is incomplete.
FINGERPRINT = "identity"
# Optuna waits this long while another process writes, before it raises "database is locked".
BUSY_TIMEOUT_S = 60
# Tables that Optuna and SQLite create.
_TABLES = {*models.BaseModel.metadata.tables, "alembic_version", "sqlite_sequence"}
# Errors of reading and writing a damaged file or on a failing disk.
DATABASE_ERRORS = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error)
# SQLite's result codes for a damaged file.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# SQLite's result codes for a database that another connection uses.
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_START_OVER = "start over with --fresh (make tune FRESH=1), which moves the folder aside"


class StudyError(UserError):
    """The study cannot be opened, or is not the requested one."""


def open_storage(paths: StudyPaths) -> BulkReadingStorage:
    """Open the study's SQLite database as Optuna's storage."""
    url = sqlalchemy.URL.create("sqlite", database=str(paths.database)).render_as_string()
    return BulkReadingStorage(url, engine_kwargs={"connect_args": {"timeout": BUSY_TIMEOUT_S}})


def create_database(path: Path) -> None:
    """Create an empty database in WAL mode, or switch an existing one to it.

    Raises: StudyError: it cannot be written.
    """
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as error:
        raise StudyError(f"{path}: cannot be written ({error}); {FIX_AND_RUN_AGAIN}") from error


def checkpoint_log(paths: StudyPaths) -> None:
    """Move SQLite's write-ahead log into study.db, so that a copy of this file alone has every trial.

    SQLite does it when the last connection closes, but a dashboard may have one. While another process reads, part of
    the log may stay until the next call.
    """
    if not paths.database.exists():
        return
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(paths.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def existing_study(name: str, paths: StudyPaths) -> Study | None:
    """Open a study; return None if it does not exist, or if its creation was interrupted.

    Raises: StudyError: its database is damaged, or belongs to something else.
    """
    if not paths.database.exists() or paths.database.stat().st_size == 0:
        return None
    try:
        _check_database(name, paths)
        study = optuna.load_study(study_name=name, storage=open_storage(paths))
        if FINGERPRINT in study.user_attrs:
            return study
        if study.get_trials(deepcopy=False):
            raise _foreign_database(paths, f"another program created its study {name}")
        return None
    except KeyError:
        # The process that created the database was killed before its first write.
        return None
    except (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, RuntimeError) as error:
        raise _unusable_database(paths, error) from error


def _check_database(name: str, paths: StudyPaths) -> None:
    """Raise an error if the database is damaged, has tables that are not Optuna's, or holds another study.

    Optuna would add its tables to any SQLite database.
    """
    with contextlib.closing(sqlite3.connect(paths.database)) as connection:
        (check,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if check != "ok":
            raise sqlite3.DatabaseError(check)
        tables = {table for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if foreign_tables := sorted(tables - _TABLES):
            raise _foreign_database(paths, f"it has the table {', '.join(foreign_tables[:5])}")
        if "studies" not in tables:
            return
        study_names = [study_name for (study_name,) in connection.execute("SELECT study_name FROM studies")]
        if study_names and name not in study_names:
            raise _foreign_database(paths, f"it holds the study {', '.join(sorted(study_names)[:5])}, not {name}")


def _foreign_database(paths: StudyPaths, reason: str) -> StudyError:
    return StudyError(
        f"{paths.database}: is not this study's database ({reason}). Move it to another folder, or {_START_OVER}"
    )


def find_study(name: str, config_name: str) -> tuple[StudyPaths, Study]:
    """Open a study, or the study of the bundled sample that was run in its place.

    Raises: StudyError: neither exists.
    """
    for candidate in (name, f"{name}{SAMPLE_SUFFIX}"):
        paths = StudyPaths.of(candidate)
        study = existing_study(candidate, paths)
        if study is not None:
            return paths, study
    raise no_study(StudyPaths.of(name), config_name)


def no_study(paths: StudyPaths, config_name: str) -> StudyError:
    """Return the error of a command that needs a study where none was created."""
    return StudyError(f"{paths.folder}: there is no study yet; run make tune STUDY={shlex.quote(config_name)}")


def removed_study(paths: StudyPaths) -> StudyError:
    """Return the error of a worker whose study was removed."""
    return StudyError(
        f"{paths.folder}: was removed while trials ran; put it back, or run the same command again to start over"
    )


def is_deleted(study: Study) -> bool:
    """Return True if the study was deleted from its database, for example in the dashboard."""
    return study._study_id not in {existing._study_id for existing in study._storage.get_all_studies()}


def reason_of(error: BaseException) -> str:
    """Return SQLite's message of a database error; without one, the message of SQLAlchemy or Optuna."""
    return " ".join(str(_sqlite_error(error) or error).split())[:200]


def is_busy(error: BaseException) -> bool:
    """Return True if a database error only says that other processes kept the database locked."""
    return getattr(_sqlite_error(error), "sqlite_errorcode", 0) & 0xFF in _BUSY


def _sqlite_error(error: BaseException) -> sqlite3.Error | None:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, sqlite3.Error):
        cause = getattr(cause, "orig", None) or cause.__cause__
    return cause


def _unusable_database(paths: StudyPaths, error: Exception) -> StudyError:
    """Return an error with its remedy: another file if this one is damaged, else a fix of the disk or the folder."""
    if not os.access(paths.folder, os.W_OK):
        return StudyError(
            f"{paths.folder}: is read-only, and its database cannot be opened there, not even for reading; "
            "make it writable, or copy the folder to where you can write"
        )
    sqlite_error = _sqlite_error(error)
    code = getattr(sqlite_error, "sqlite_errorcode", None)
    if sqlite_error is not None and code is not None and code & 0xFF not in _DAMAGE:
        return StudyError(f"{paths.database}: cannot be used ({sqlite_error}); {FIX_AND_RUN_AGAIN}")
    return StudyError(
        f"{paths.database}: cannot be opened as a study ({reason_of(error)}). Restore it, or {_START_OVER}"
    )


def report_score(trial: optuna.trial.Trial, val_bpd: float, step: int) -> None:
    """Store a trial's score at a report point, with one objective or several."""
    if len(trial.study.directions) == 1:
        trial.report(val_bpd, step)
    else:
        # Optuna's `report` refuses several objectives, whose learning curves are just as useful.
        trial.storage.set_trial_intermediate_value(trial._trial_id, step, val_bpd)


def reopen_trial(study: Study, frozen: optuna.trial.FrozenTrial) -> optuna.trial.Trial:
    """Return a live trial, under its own number, for a running one that was read from the database."""
    return optuna.trial.Trial(study, frozen._trial_id)
