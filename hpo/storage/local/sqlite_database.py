"""A study's SQLite database: created here, opened by Optuna, and checked for damage and foreign contents."""

import contextlib
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages._rdb import models
from optuna.study import Study, StudyDirection

from hpo.optunahub.samplers.learning_curves.in_memory_studies import quiet_optuna
from hpo.storage.database import FINGERPRINT, START_OVER, StudyError, reason_of, removed_study, sqlite_error
from hpo.storage.paths import StudyPaths
from hpo.storage.tables.bulk_reading_storage import BulkReadingStorage
from model.errors import FIX_AND_RUN_AGAIN

# Optuna waits this long while another process writes, before it raises "database is locked".
BUSY_TIMEOUT_S = 60
# Tables that Optuna and SQLite create.
_TABLES = {*models.BaseModel.metadata.tables, "alembic_version", "sqlite_sequence"}
# SQLite's result codes for a damaged file.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@dataclass(frozen=True)
class SqliteDatabase:
    """The database of one study, in its folder."""

    paths: StudyPaths

    def open_storage(self) -> BulkReadingStorage:
        """Open the database as Optuna's storage."""
        return open_storage(self.paths)

    def existing_study(self, name: str) -> Study | None:
        """Open a study; return None if it does not exist, or if its creation was interrupted."""
        return existing_study(name, self.paths)

    def create_study(
        self, name: str, directions: Sequence[StudyDirection], metrics: Sequence[str], attributes: Mapping[str, Any]
    ) -> Study:
        """Create a study; a study without the last attribute was killed while it was created, and is replaced."""
        self.paths.folder.mkdir(parents=True, exist_ok=True)
        create_database(self.paths.database)
        storage = self.open_storage()
        with contextlib.suppress(KeyError):
            # The remains of a creation that was killed, perhaps with other objectives.
            assert not optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False), "it has trials"
            optuna.delete_study(study_name=name, storage=storage)
        study = optuna.create_study(study_name=name, storage=storage, directions=directions)
        with quiet_optuna():
            study.set_metric_names(list(metrics))
        for key, value in attributes.items():
            study.set_user_attr(key, value)
        return study

    def check_exists(self) -> None:
        """Raise StudyError if the database was removed: SQLite would keep writing into the removed file."""
        if not self.paths.database.exists():
            raise removed_study(self.paths)

    def settle(self) -> None:
        """Move SQLite's write-ahead log into the database."""
        checkpoint_log(self.paths)


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
        f"{paths.database}: is not this study's database ({reason}). Move it to another folder, or {START_OVER}"
    )


def _unusable_database(paths: StudyPaths, error: Exception) -> StudyError:
    """Return an error with its remedy: another file if this one is damaged, else a fix of the disk or the folder."""
    if not os.access(paths.folder, os.W_OK):
        return StudyError(
            f"{paths.folder}: is read-only, and its database cannot be opened there, not even for reading; "
            "make it writable, or copy the folder to where you can write"
        )
    cause = sqlite_error(error)
    code = getattr(cause, "sqlite_errorcode", None)
    if cause is not None and code is not None and code & 0xFF not in _DAMAGE:
        return StudyError(f"{paths.database}: cannot be used ({cause}); {FIX_AND_RUN_AGAIN}")
    return StudyError(
        f"{paths.database}: cannot be opened as a study ({reason_of(error)}). Restore it, or {START_OVER}"
    )
