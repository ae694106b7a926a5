"""Optuna's storage in PostgreSQL, which refuses the writes of a worker that has lost its trial."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages._cached_storage import _CachedStorage, _StudyInfo
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.study import Study
from optuna.trial import TrialState
from sqlalchemy import URL, Connection, create_engine, event, func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import CONFIRMS
from hpo.search.scheduler import Step
from hpo.storage.cluster import leases
from hpo.storage.cluster.connection import (
    ENGINE_ARGUMENTS,
    ask_idle_connections,
    limit_idle_transactions,
    surviving_outages,
    unusable,
)
from hpo.storage.cluster.leases import LeaseKeeper
from hpo.storage.cluster.statements import BEGIN, LOCK_STUDY, REPORT, TAKE_WAITING
from hpo.storage.interface import Fenced, Loss
from hpo.storage.tables.bulk_reading_storage import BulkReadingStorage

# System attribute of a trial: the key of its last checkpoint in the object store.
CHECKPOINT = "hpo:checkpoint"
# Of the lock under which tables are created.
_CREATION_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('hpo_creation'))")
# What reads or writes, and so goes on after an outage.
_CALLS = (
    *("create_new_study", "delete_study", "get_all_studies", "get_study_id_from_name", "get_study_name_from_id"),
    *("get_study_directions", "get_study_user_attrs", "get_study_system_attrs"),
    *("set_study_user_attr", "set_study_system_attr", "get_trial_id_from_study_id_trial_number"),
    *("get_trial", "get_all_trials", "_get_trials", "_get_best_trial_id", "_create_new_trial"),
    *("_set_trial_param", "set_trial_state_values", "set_trial_intermediate_value"),
    *("set_trial_user_attr", "set_trial_user_attributes", "set_trial_system_attr"),
    *("report", "take_over", "take_waiting", "begin", "held", "state_of"),
    *("study_system_attributes", "add_study"),
)


@dataclass(frozen=True)
class Report:
    """A report of a trial by the worker that holds it by this token, with the key of its checkpoint."""

    trial_id: int
    token: int | None
    step: int
    val_bpd: float
    checkpoint: str


class FencedStorage(BulkReadingStorage):
    """Optuna's storage, in which every write to a trial that this process has leased shows its token.

    Whoever holds no lease passes: plain Optuna, and the dashboard.
    """

    def __init__(self, url: URL) -> None:
        """Connect, and create the tables that are missing.

        Raises: StudyError: the database cannot be used.
        """
        plain = create_engine(url, poolclass=NullPool, connect_args=ENGINE_ARGUMENTS["connect_args"])
        limit_idle_transactions(plain)
        self.keeper = LeaseKeeper(plain)
        try:
            # Several processes may create tables at once, in which PostgreSQL fails.
            with plain.begin() as connection:
                connection.execute(_CREATION_LOCK)
                # It is idle while Optuna creates its tables by another connection.
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                is_new = not inspect(connection).has_table("version_info")
                super().__init__(
                    url.render_as_string(hide_password=False),
                    engine_kwargs=ENGINE_ARGUMENTS,
                    skip_table_creation=not is_new,
                )
                leases.create_tables(connection)
        except (SQLAlchemyError, RuntimeError) as error:
            raise unusable(url, error) from error
        limit_idle_transactions(self.engine)
        ask_idle_connections(self.engine)
        # The connection that has created the tables is without these.
        self.engine.dispose()
        self._fence = threading.local()
        event.listen(self.scoped_session.session_factory, "after_begin", self._show_token)
        for name in _CALLS:
            setattr(self, name, surviving_outages(getattr(self, name), url))

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return a study's id, in one statement: a worker asks after every report. Raises: KeyError: there is none."""
        model = models.StudyModel
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            study_id = connection.scalar(select(model.study_id).where(model.study_name == study_name))
        if study_id is None:
            raise KeyError(f"there is no study {study_name}")
        return int(study_id)

    def _set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,
    ) -> None:
        with self._fenced(trial_id):
            super()._set_trial_param(trial_id, param_name, param_value_internal, distribution, previous_distribution)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Set a trial's state and values. Raises: Fenced: this process has lost the trial."""
        with self._fenced(trial_id):
            return super().set_trial_state_values(trial_id, state, values)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Set a report. Raises: Fenced: this process has lost the trial."""
        with self._fenced(trial_id):
            super().set_trial_intermediate_value(trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set a user attribute. Raises: Fenced: this process has lost the trial."""
        with self._fenced(trial_id):
            super().set_trial_user_attr(trial_id, key, value)

    def set_trial_user_attributes(self, trial_id: int, attributes: Mapping[str, Any]) -> None:
        """Set several user attributes, all or none. Raises: Fenced: this process has lost the trial."""
        with self._fenced(trial_id):
            super().set_trial_user_attributes(trial_id, attributes)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set a system attribute. Raises: Fenced: this process has lost the trial."""
        with self._fenced(trial_id):
            super().set_trial_system_attr(trial_id, key, value)

    def _starts_with(self, key: Any, prefix: str) -> Any:
        # A database's collation may order names in another way, and so a range of them is none.
        return key.startswith(prefix, autoescape=True)

    def report(self, report: Report) -> None:
        """Store a report and the key of its checkpoint, both or neither.

        Raises: Fenced: the worker has lost the trial. UpdateFinishedTrialError: another program has ended it.
        """
        stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(report.val_bpd)
        score = {"step": report.step, "val_bpd": stored, "kind": kind.name}
        checkpoint = {"name": CHECKPOINT, "key": json.dumps(report.checkpoint)}
        holder = {"trial_id": report.trial_id, "token": report.token}
        with self.engine.begin() as connection:
            is_stored = connection.execute(REPORT, score | checkpoint | holder).first() is not None
        if not is_stored:
            self.check_trial_is_updatable(report.trial_id, self.get_trial(report.trial_id).state)
            raise Fenced(f"trial_id {report.trial_id} has another worker")

    def add_study(self, study: models.StudyModel) -> None:
        """Add a study with its attributes. Raises: IntegrityError: there is one of its name."""
        with _create_scoped_session(self.scoped_session) as session:
            session.add(study)

    def take_over(self, study_id: int) -> tuple[int, int, Loss | None] | None:
        """Lease the first running trial that no live worker holds.

        Returns: its id, the token and how its last worker was lost; None if there is no such trial.
        """
        with _create_scoped_session(self.scoped_session) as session:
            connection = session.connection()
            found = leases.free(connection, study_id)
            # Asked in any case: it notes that the database was there.
            if not self.keeper.may_take_over(connection) or not found:
                return None
            for trial_id in found:
                if taken := leases.take_over(connection, trial_id):
                    return trial_id, *taken
            return None

    def learn(self, study: Study, trial_id: int) -> None:
        """Let Optuna's cache know a trial that this class has created: it writes no values to others."""
        assert isinstance(study._storage, _CachedStorage), "Optuna wraps every database in one"
        with study._storage._lock:
            study._storage._studies.setdefault(study._study_id, _StudyInfo())
            study._storage._add_trials_to_cache(study._study_id, [self.get_trial(trial_id)])

    def take_waiting(self, study_id: int) -> tuple[int, int] | None:
        """Start and lease the first trial that waits; return its id and the token, None if none waits."""
        values = {"study_id": study_id, "now": datetime.now(UTC).replace(tzinfo=None), **leases.holder()}
        with self.engine.begin() as connection:
            taken = connection.execute(TAKE_WAITING, values).first()
        return None if taken is None else (taken.trial_id, taken.token)

    def begin(self, study_id: int, step: Step, limit: float) -> tuple[int, int] | None:
        """Create and lease the trial of a step in one transaction; return its id and the token.

        None if a trial waits, or if there are `limit` trials like it by now, see `hpo.search.scheduler.n_alike`.
        """
        relation, number = step.relation or (None, None)
        params = {"fixed_params": step.configuration.params} if step.configuration else {}
        values = {
            "study_id": study_id,
            "relation": relation,
            "number": None if number is None else json.dumps(number),
            "relations": [CONTINUES, CONFIRMS],
            "limit": None if limit == inf else int(limit),
            "now": datetime.now(UTC).replace(tzinfo=None),
            **_as_arrays("user", dict(step.attributes)),
            **_as_arrays("system", params),
            **leases.holder(),
        }
        with self.engine.begin() as connection:
            # The lock that Optuna takes to number a new trial. It needs a statement of its own: what is decided in the
            # next one must be read after it was granted.
            if connection.execute(LOCK_STUDY, {"study_id": study_id}).first() is None:
                raise KeyError(models.NOT_FOUND_MSG)
            begun = connection.execute(BEGIN, values).first()
        return None if begun is None else (begun.trial_id, begun.token)

    @contextlib.contextmanager
    def deciding(self, study_id: int) -> Iterator[None]:
        """Let no other process of ours add trials while the block runs, which should take milliseconds."""
        with self.keeper.engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('hpo_deciding'), :id)"), {"id": study_id})
            yield

    def held(self, trial_ids: Sequence[int]) -> set[int]:
        """Return those of these trials that a live worker holds."""
        with self.engine.connect() as connection:
            return leases.held(connection, trial_ids)

    def state_of(self, study_id: int) -> tuple[Any, ...]:
        """Return the number of trials in each state and of all reports, and how many running trials a worker holds."""
        model = models.TrialModel
        counts = select(model.state, func.count()).where(model.study_id == study_id).group_by(model.state)
        running = select(model.trial_id).where(model.study_id == study_id, model.state == TrialState.RUNNING)
        with self.engine.connect() as connection:
            states = sorted((state.name, n) for state, n in connection.execute(counts.order_by(model.state)))
            ids = connection.scalars(running).all()
            report = models.TrialIntermediateValueModel
            n_reports = connection.scalar(select(func.count()).where(report.trial_id.in_(ids)))
            return (*states, n_reports, len(leases.held(connection, ids)))

    @contextlib.contextmanager
    def _fenced(self, trial_id: int) -> Iterator[None]:
        """Let every transaction that begins in the block show this process's token on the trial, if it has one."""
        self._fence.trial_id = trial_id
        try:
            yield
        finally:
            self._fence.trial_id = None

    def _show_token(self, _session: Session, _transaction: object, connection: Connection) -> None:
        trial_id = getattr(self._fence, "trial_id", None)
        token = None if trial_id is None else self.keeper.token(trial_id)
        if trial_id is not None and token is not None:
            leases.show(connection, trial_id, token)


def _as_arrays(name: str, attributes: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return attributes as two arrays of a statement, their keys and their values as JSON."""
    return {f"{name}_keys": list(attributes), f"{name}_values": [json.dumps(value) for value in attributes.values()]}
