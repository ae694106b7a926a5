"""The lock of a study: one call of `tune` at a time works on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.study import Study

from hpo.config.prepared_study import PreparedStudy
from hpo.storage.backend import backend_of, existing_study
from hpo.storage.fingerprint import as_created, check_unchanged, fingerprint
from hpo.storage.local.file_locks import hold_lock
from hpo.storage.paths import StudyPaths, move_aside


@contextmanager
def locked_study(prepared: PreparedStudy, fresh: bool) -> Iterator[tuple[Study | None, Path | None]]:
    """Hold the study's lock; yield (the study, None if it does not exist; the path an old one was moved to, or None).

    Raises: Busy: another process works on the study.
            StudyError: the study is damaged, or has different settings.
    """
    paths = StudyPaths.of(prepared.config.name, prepared.location)
    with backend_of(paths).claims.tuning():
        moved = _move_aside(paths) if fresh and paths.folder.exists() else None
        study = existing_study(prepared.config.name, paths)
        if study is None and (paths.checkpoints.exists() or paths.artifacts.exists()):
            # Files of a study whose database is gone: a new study must neither use nor remove them.
            moved = _move_aside(paths)
        if study is not None:
            config = as_created(study, prepared.config)
            check_unchanged(study, fingerprint(config, prepared.data), paths, config)
        try:
            yield study, moved
        finally:
            # Also after an error: every trial that was reported is then in study.db.
            backend_of(paths).database.settle()


def _move_aside(paths: StudyPaths) -> Path | None:
    with hold_lock(paths.best.lock, str(paths.best.folder)):
        return move_aside(paths.folder)
