"""System attributes of a study, read by the first letters of their names.

optuna-dashboard keeps the notes of all trials among them. Optuna reads them all at once, which takes longer with every
trial.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._rdb import models
from optuna.study import Study
from sqlalchemy import select

from hpo.storage.tables.bulk_reading_storage import BulkReadingStorage


def system_attributes(study: Study, prefix: str) -> dict[str, Any]:
    """Return the system attributes of a study whose names start with `prefix`."""
    storage = study._storage
    if isinstance(storage, _CachedStorage) and isinstance(storage._backend, BulkReadingStorage):
        return storage._backend.study_system_attributes(study._study_id, prefix)
    attributes = storage.get_study_system_attrs(study._study_id)
    return {name: value for name, value in attributes.items() if name.startswith(prefix)}


def system_attribute_names(study: Study, containing: str) -> Iterator[str]:
    """Yield the names with this part among the system attributes of every study and trial in a study's database."""
    if (engine := engine_of(study)) is None:
        return
    with engine.connect() as connection:
        for column in (models.StudySystemAttributeModel.key, models.TrialSystemAttributeModel.key):
            yield from connection.scalars(select(column).where(column.contains(containing)))


class AttributesOfPrefix:
    """A study's storage as optuna-dashboard's functions use it, whose study has only the attributes of a prefix."""

    def __init__(self, study: Study, prefix: str) -> None:
        self._study, self._prefix = study, prefix

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the attributes of the prefix."""
        return system_attributes(self._study, self._prefix)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Write an attribute."""
        assert key.startswith(self._prefix), "it could not be read back"
        self._study._storage.set_study_system_attr(study_id, key, value)


def engine_of(study: Study) -> sqlalchemy.Engine | None:
    """Return the database of a study; None if it is in memory."""
    storage = study._storage
    return storage._backend.engine if isinstance(storage, _CachedStorage) else None
