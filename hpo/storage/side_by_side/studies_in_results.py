"""The studies below results/, each with a number of its own while the process lives."""

import threading
from dataclasses import dataclass

from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.storages import BaseStorage

from hpo.storage.backend import backend_of, existing_study
from hpo.storage.database import StudyError, uncached
from hpo.storage.interface import WritableStore
from hpo.storage.paths import StudyPaths, study_names


@dataclass(frozen=True)
class NumberedStudy:
    """A study with its number among all. `study_id` is its id in its own `storage`, `name` the one that is shown."""

    number: int
    name: str
    storage: BaseStorage
    study_id: int
    artifacts: WritableStore


class StudiesInResults:
    """Studies of `results/` in the order in which they were found; looked for again by every call of `refresh`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By name and inode: a study that was started over has another database.
        self._found: dict[tuple[str, int], NumberedStudy | None] = {}
        self._present: list[NumberedStudy] = []
        self._unreadable: list[str] = []

    @property
    def unreadable(self) -> list[str]:
        """Names of folders whose database is no study of that name, or damaged."""
        return self._unreadable

    def refresh(self) -> list[NumberedStudy]:
        """Return the studies that are there now."""
        with self._lock:
            found = {name: self._study(name) for name in study_names()}
            self._present = [study for study in found.values() if study is not None]
            self._unreadable = [name for name in found if (name, _inode(name)) in self._found and found[name] is None]
            return self._present

    def by_number(self, number: int) -> NumberedStudy:
        """Return a study of the last refresh. Raises: KeyError: none has this number."""
        for study in self._present or self.refresh():
            if study.number == number:
                return study
        raise KeyError(f"there is no study of the number {number}")

    def with_artifact(self, artifact_id: str) -> NumberedStudy | None:
        """Return the study whose artifact store has a file of this id, which no two studies share."""
        return next((study for study in self._present or self.refresh() if _has(study.artifacts, artifact_id)), None)

    def _study(self, name: str) -> NumberedStudy | None:
        key, paths = (name, _inode(name)), StudyPaths.of(name)
        if key not in self._found:
            try:
                study = existing_study(name, paths)
            except StudyError:
                self._found[key] = None
                return None
            if study is None:
                # It is being created.
                return None
            shown = f"{name} (bundled sample)" if study.user_attrs["data"]["source"] == "sample" else name
            n_found = sum(earlier is not None for earlier in self._found.values())
            self._found[key] = NumberedStudy(
                n_found + 1, shown, uncached(study), study._study_id, backend_of(paths).files.artifact_store()
            )
        return self._found[key]


def _inode(name: str) -> int:
    try:
        return StudyPaths.of(name).database.stat().st_ino
    except FileNotFoundError:
        return 0


def _has(store: WritableStore, artifact_id: str) -> bool:
    try:
        store.open_reader(artifact_id).close()
    except ArtifactNotFound:
        return False
    return True
