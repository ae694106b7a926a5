"""Optuna's storage, which reads a whole study in a sixth of the time."""

import datetime
import gc
import json
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, Select, and_, or_, select

_MANY = 1_000
# A query for the ids of the trials to read.
Ids = Select[tuple[int]]


class BulkReadingStorage(RDBStorage):
    """Optuna's storage in a database, without an object of SQLAlchemy for each row.

    A study of 10,000 trials has 300,000 rows, for which Optuna takes 8.6 s of CPU, and this class 1.3 s.
    """

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial. Raises: KeyError: there is none."""
        trial = models.TrialModel
        with self.engine.connect() as connection:
            found = _read_trials(connection, select(trial.trial_id).where(trial.trial_id == trial_id))
        if not found:
            raise KeyError(f"there is no trial with trial_id {trial_id}")
        return found[0]

    def study_system_attributes(self, study_id: int, prefix: str) -> dict[str, Any]:
        """Return the system attributes of a study whose names start with `prefix`."""
        model = models.StudySystemAttributeModel
        is_wanted = model.study_id == study_id, self._starts_with(model.key, prefix)
        rows = select(model.key, model.value_json).where(*is_wanted)
        with self.engine.connect() as connection:
            return {name: json.loads(text) for name, text in connection.execute(rows)}

    def _starts_with(self, key: Any, prefix: str) -> Any:
        """Return the condition that a key starts with `prefix`.

        A range of names, which the table's index finds; of LIKE, SQLite would read every row.
        """
        return and_(key >= prefix, key < prefix[:-1] + chr(ord(prefix[-1]) + 1))

    def set_trial_user_attributes(self, trial_id: int, attributes: Mapping[str, Any]) -> None:
        """Set several user attributes of a trial in one transaction."""
        with _create_scoped_session(self.scoped_session, True) as session:
            for name, value in attributes.items():
                self._set_trial_attr_without_commit(session, models.TrialUserAttributeModel, trial_id, name, value)

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        """Return a study's trials: those of these ids, and those of higher ids than the last one that had ended."""
        included = [trial_id for trial_id in included_trial_ids if trial_id <= trial_id_greater_than]
        if states is not None or len(included) > _MANY:
            return super()._get_trials(study_id, states, included_trial_ids, trial_id_greater_than)
        trial = models.TrialModel
        is_wanted = [trial.study_id == study_id]
        if trial_id_greater_than > -1:
            is_wanted.append(or_(trial.trial_id.in_(included), trial.trial_id > trial_id_greater_than))
        with self.engine.connect() as connection:
            trials = _read_trials(connection, select(trial.trial_id).where(*is_wanted))
        if len(trials) >= _MANY:
            # Trials live as long as the process. Without this, Python's search for cyclic garbage would visit a million
            # of their values again and again: at 10,000 trials the next step takes 0.61 s with it, 0.35 without.
            gc.freeze()
        # Without a trial, Optuna checks that the study exists.
        return trials or super()._get_trials(study_id, states, included_trial_ids, trial_id_greater_than)


def _read_trials(connection: Connection, ids: Ids) -> list[FrozenTrial]:
    trial = models.TrialModel.__table__.c
    columns = (trial.trial_id, trial.number, trial.state, trial.datetime_start, trial.datetime_complete)
    # The states first: whatever a trial had when it ended is then among the rows that are read later.
    trials = connection.execute(select(*columns).where(trial.trial_id.in_(ids)).order_by(trial.trial_id)).all()
    params = _read_params(connection, ids)
    values, reports = _read_values(connection, ids), _read_reports(connection, ids)
    user_attributes = _read_attributes(connection, ids, models.TrialUserAttributeModel)
    system_attributes = _read_attributes(connection, ids, models.TrialSystemAttributeModel)
    return [
        FrozenTrial(
            number=number,
            state=state,
            value=None,
            values=[values[trial_id][objective] for objective in sorted(values[trial_id])] or None,
            datetime_start=_local(started),
            datetime_complete=_local(completed),
            params={name: value for name, (value, _) in params[trial_id].items()},
            distributions={name: distribution for name, (_, distribution) in params[trial_id].items()},
            user_attrs=user_attributes[trial_id],
            system_attrs=system_attributes[trial_id],
            intermediate_values=reports[trial_id],
            trial_id=trial_id,
        )
        for trial_id, number, state, started, completed in trials
    ]


def _local(utc: datetime.datetime | None) -> datetime.datetime | None:
    """Return a time of the database, which has UTC, as Optuna does: local, without a time zone."""
    return None if utc is None else utc.replace(tzinfo=datetime.UTC).astimezone().replace(tzinfo=None)


def _read_params(connection: Connection, ids: Ids) -> dict[int, dict[str, tuple[Any, BaseDistribution]]]:
    """Return values and distributions of the searched hyperparameters, by name, by trial id."""
    model = models.TrialParamModel
    params: dict[int, dict[str, tuple[Any, BaseDistribution]]] = defaultdict(dict)
    for trial_id, _, name, value, text in _rows(
        connection, ids, model, model.param_id, model.param_name, model.param_value, model.distribution_json
    ):
        distribution = _distribution(text)
        params[trial_id][name] = distribution.to_external_repr(value), distribution
    return params


# A study has a few distributions, which every trial repeats.
_distribution = lru_cache(json_to_distribution)


def _read_values(connection: Connection, ids: Ids) -> dict[int, dict[int, float]]:
    """Return objective values, by their position, by trial id."""
    model = models.TrialValueModel
    values: dict[int, dict[int, float]] = defaultdict(dict)
    for trial_id, objective, stored, kind in _rows(
        connection, ids, model, model.objective, model.value, model.value_type
    ):
        values[trial_id][objective] = model.stored_repr_to_value(stored, kind)
    return values


def _read_reports(connection: Connection, ids: Ids) -> dict[int, dict[int, float]]:
    """Return reported scores, by report point, by trial id."""
    model = models.TrialIntermediateValueModel
    reports: dict[int, dict[int, float]] = defaultdict(dict)
    columns = (model.step, model.intermediate_value, model.intermediate_value_type)
    for trial_id, step, stored, kind in _rows(connection, ids, model, *columns):
        reports[trial_id][step] = model.stored_repr_to_intermediate_value(stored, kind)
    return reports


def _read_attributes(connection: Connection, ids: Ids, model: Any) -> dict[int, dict[str, Any]]:
    """Return user or system attributes, by name, by trial id."""
    attributes: dict[int, dict[str, Any]] = defaultdict(dict)
    for trial_id, name, text in _rows(connection, ids, model, model.key, model.value_json):
        attributes[trial_id][name] = json.loads(text)
    return attributes


def _rows(connection: Connection, ids: Ids, model: Any, *columns: Any) -> Iterable[Any]:
    """Return the trial id and these columns of a table's rows, by trial and first column, as Optuna happens to."""
    rows = select(model.trial_id, *columns).where(model.trial_id.in_(ids))
    return connection.execute(rows.order_by(model.trial_id, columns[0]))
