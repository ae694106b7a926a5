"""A study's database: SQLite, opened by Optuna, and everything that can be wrong with it."""

import contextlib
import os
import sqlite3
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages._rdb import models
from optuna.study import Study

from hpo.config.dataset import SAMPLE_SUFFIX
from hpo.storage.paths import StudyPaths
from model.errors import UserError

# Several seconds of another process's write are waited for, never answered with "database is locked".
BUSY_TIMEOUT_S = 60
# What Optuna makes in a database, and SQLite beside it.
_TABLES = {*models.BaseModel.metadata.tables, "alembic_version", "sqlite_sequence"}
# What a disk that fails or a file that is damaged makes of reading and writing.
DATABASE_ERRORS = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error)
# SQLite's result codes for a file that is not what it was.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class StudyError(UserError):
    """The study at hand cannot be opened, or is not the one asked for."""


def storage(paths: StudyPaths) -> optuna.storages.RDBStorage:
    """The study's SQLite database, as Optuna opens it."""
    url = sqlalchemy.URL.create("sqlite", database=str(paths.database)).render_as_string()
    return optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": BUSY_TIMEOUT_S}})


def make_database(path: Path) -> None:
    """Make an empty database in WAL mode, or turn one that is there to it.

    Raises: StudyError: it cannot be written.
    """
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as error:
        raise StudyError(f"{path}: cannot be written ({error}); mend that and run the same command again") from error


def existing_study(name: str, paths: StudyPaths) -> Study | None:
    """The study as it stands, or None where none was begun, or only half: its identity is the last that is written.

    Raises: StudyError: its database is damaged, or somebody else's.
    """
    if not paths.database.exists() or paths.database.stat().st_size == 0:
        return None
    try:
        _check_ours(name, paths)
        study = optuna.load_study(study_name=name, storage=storage(paths))
        if "identity" in study.user_attrs:
            return study
        if study.get_trials(deepcopy=False):
            raise _foreign(paths, f"its study {name} was begun by something else")
        return None
    except KeyError:
        # Killed before its first write: nothing is in there yet.
        return None
    except (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, RuntimeError) as error:
        raise _unusable(paths, error) from error


def _check_ours(name: str, paths: StudyPaths) -> None:
    """Refuse a damaged database, one of something else, to which Optuna would add its tables, and one of others."""
    with contextlib.closing(sqlite3.connect(paths.database)) as connection:
        (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise sqlite3.DatabaseError(answer)
        tables = {table for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if others := sorted(tables - _TABLES):
            raise _foreign(paths, f"it has the table {', '.join(others[:5])}")
        if "studies" not in tables:
            return
        names = [known for (known,) in connection.execute("SELECT study_name FROM studies")]
        if names and name not in names:
            raise _foreign(paths, f"it holds the study {', '.join(sorted(names)[:5])}, not {name}")


def _foreign(paths: StudyPaths, reason: str) -> StudyError:
    return StudyError(
        f"{paths.database}: is not this study's database ({reason}). Move it away, or begin anew with --fresh "
        "(make tune FRESH=1), which moves the folder aside"
    )


def find_study(name: str, config_name: str) -> tuple[StudyPaths, Study]:
    """The study and its files, or the sample's study which stands in for it.

    Raises: StudyError: there is neither.
    """
    for candidate in (name, f"{name}{SAMPLE_SUFFIX}"):
        paths = StudyPaths.of(candidate)
        study = existing_study(candidate, paths)
        if study is not None:
            return paths, study
    raise StudyError(f"{StudyPaths.of(name).folder}: there is no study yet; run make tune STUDY={config_name}")


def is_gone(study: Study) -> bool:
    """Whether somebody has deleted it, in the dashboard for example."""
    return study._study_id not in {one._study_id for one in study._storage.get_all_studies()}


def reason_of(error: BaseException) -> str:
    """What SQLite said, below what SQLAlchemy and Optuna made of it; their words where it said nothing."""
    below = _sqlite_error(error)
    return " ".join(str(below or error).split())[:200]


def _sqlite_error(error: BaseException) -> sqlite3.Error | None:
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, sqlite3.Error):
        seen = getattr(seen, "orig", None) or seen.__cause__
    return seen


def _unusable(paths: StudyPaths, error: Exception) -> StudyError:
    """The file's fault, which only another file mends, or that of the disk around it."""
    if not os.access(paths.folder, os.W_OK):
        return StudyError(
            f"{paths.folder}: is read-only, and its database cannot be opened there, not even for reading; "
            "make it writable, or copy the folder to where you can write"
        )
    below = _sqlite_error(error)
    code = getattr(below, "sqlite_errorcode", None)
    if below is not None and code is not None and code & 0xFF not in _DAMAGE:
        return StudyError(f"{paths.database}: cannot be used ({below}); mend that and run the same command again")
    return StudyError(
        f"{paths.database}: cannot be opened as a study ({reason_of(error)}). Restore it, or begin anew with --fresh "
        "(make tune FRESH=1), which moves the folder aside"
    )


def report_score(trial: optuna.trial.Trial, val_bpd: float, step: int) -> None:
    """Store a trial's score at a report point, for one objective or several."""
    if len(trial.study.directions) == 1:
        trial.report(val_bpd, step)
    else:
        # Optuna's `report` refuses several objectives, whose learning curves are just as useful.
        trial.storage.set_trial_intermediate_value(trial._trial_id, step, val_bpd)


def reopen_trial(study: Study, frozen: optuna.trial.FrozenTrial) -> optuna.trial.Trial:
    """Return a running trial as a live one, under its own number."""
    return optuna.trial.Trial(study, frozen._trial_id)
