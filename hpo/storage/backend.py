"""Chooses where a study is kept, and opens it there."""

from functools import lru_cache

from optuna.study import Study

from hpo.search.configurations import running_trials
from hpo.storage.interface import Backend
from hpo.storage.paths import StudyPaths


@lru_cache
def backend_of(paths: StudyPaths) -> Backend:
    """Return where a study is kept: on this machine, or where its location says."""
    if paths.location is None:
        from hpo.storage.local.claims import LocalClaims
        from hpo.storage.local.files import LocalFiles
        from hpo.storage.local.sqlite_database import SqliteDatabase

        return Backend(SqliteDatabase(paths), LocalClaims(paths), LocalFiles(paths))
    from hpo.storage.cluster.backend import cluster_backend

    return cluster_backend(paths, paths.location)


def existing_study(name: str, paths: StudyPaths) -> Study | None:
    """Open a study; return None if it does not exist, or if its creation was interrupted.

    Raises: StudyError: its database cannot be used, or belongs to something else.
    """
    return backend_of(paths).database.existing_study(name)


def interrupted_trials(study: Study, paths: StudyPaths) -> list[int]:
    """Return the numbers of running trials that no live worker holds."""
    running = running_trials(study.get_trials(deepcopy=False))
    held = backend_of(paths).claims.held(study, running.values())
    return sorted(running.keys() - held)
