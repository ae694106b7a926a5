"""A study in a PostgreSQL database that machines share."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages._rdb import models
from optuna.study import Study, StudyDirection
from sqlalchemy.exc import IntegrityError

from hpo.storage.cluster.fenced_storage import FencedStorage
from hpo.storage.database import FINGERPRINT, StudyError, removed_study
from hpo.storage.paths import StudyPaths

_METRIC_NAMES = "study:metric_names"


@dataclass(frozen=True)
class ClusterDatabase:
    """The database of one study, and of others."""

    paths: StudyPaths
    storage: FencedStorage

    def open_storage(self) -> FencedStorage:
        """Return the database as Optuna's storage."""
        return self.storage

    def existing_study(self, name: str) -> Study | None:
        """Open a study; return None if it does not exist.

        Raises: StudyError: another program created it.
        """
        try:
            study = optuna.load_study(study_name=name, storage=self.storage)
        except KeyError:
            return None
        if FINGERPRINT not in study.user_attrs:
            raise StudyError(f"{name}: another program created a study of this name in the database; choose another")
        return study

    def create_study(
        self, name: str, directions: Sequence[StudyDirection], metrics: Sequence[str], attributes: Mapping[str, Any]
    ) -> Study:
        """Create a study in one transaction, or open the one that another process has created meanwhile."""
        study = models.StudyModel(
            study_name=name,
            directions=[models.StudyDirectionModel(direction=d, objective=n) for n, d in enumerate(directions)],
            system_attributes=[
                models.StudySystemAttributeModel(key=_METRIC_NAMES, value_json=json.dumps(list(metrics)))
            ],
            user_attributes=[
                models.StudyUserAttributeModel(key=key, value_json=json.dumps(value))
                for key, value in attributes.items()
            ],
        )
        with contextlib.suppress(IntegrityError):
            self.storage.add_study(study)
        created = self.existing_study(name)
        assert created is not None, "this process or another one has created it"
        return created

    def check_exists(self) -> None:
        """Raise StudyError if the study was deleted, for example in the dashboard."""
        try:
            self.storage.get_study_id_from_name(self.paths.folder.name)
        except KeyError:
            raise removed_study(self.paths) from None

    def settle(self) -> None:
        """Do nothing: every transaction is in the database."""
