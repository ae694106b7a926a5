"""Reading a whole study at once."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from hpo.storage.tables.bulk_reading_storage import BulkReadingStorage


def read(storage: RDBStorage, name: str) -> list[FrozenTrial]:
    return optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)


@pytest.fixture
def time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set a local time that is not that of the database."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("time_zone")
def test_it_reads_what_optuna_reads(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    for name in ("first", "second"):
        study = optuna.create_study(study_name=name, storage=url, directions=["minimize"] * 2)
        study.enqueue_trial({"x": 0.5}, user_attrs={"continues": 0})
        trial = study.ask()
        trial.suggest_float("x", 0.1, 1, log=True)
        trial.suggest_categorical("kind", ("a", None, 3))
        trial.suggest_int("n", 2, 8, step=2)
        trial.set_constraint("finite", 1.0)
        for step, score in {3: 1.5, 1: math.nan, 2: -math.inf}.items():
            trial.storage.set_trial_intermediate_value(trial._trial_id, step, score)
        study.tell(trial, [math.inf, 2.0])
        study.tell(study.ask(), state=TrialState.FAIL)
        study.ask()
        study.enqueue_trial({"x": 0.25})
    for name in ("first", "second"):
        expected, found = (read(storage(url), name) for storage in (RDBStorage, BulkReadingStorage))
        assert len(found) == 4
        # Representations, since a score that is not a number equals nothing.
        assert [repr(trial) for trial in found] == [repr(trial) for trial in expected]


def test_a_study_without_trials_is_read_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    storage = BulkReadingStorage(f"sqlite:///{tmp_path / 'study.db'}")
    optuna.create_study(study_name="empty", storage=storage)
    assert read(storage, "empty") == []
    with pytest.raises(KeyError):
        storage.get_all_trials(99)


def test_only_trials_that_may_have_changed_are_read_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(study_name="one", storage=url)
    running, ended = study.ask(), study.ask()
    study.tell(ended, 1.0)
    reader = optuna.load_study(study_name="one", storage=BulkReadingStorage(url))
    assert [trial.state for trial in reader.get_trials(deepcopy=False)] == [TrialState.RUNNING, TrialState.COMPLETE]
    running.report(2.0, 1)
    study.tell(study.ask(), 3.0)
    known, changed, new = reader.get_trials(deepcopy=False)[1], *reader.get_trials(deepcopy=False)[::2]
    assert changed.intermediate_values == {1: 2.0} and new.value == 3.0
    storage = BulkReadingStorage(url)
    storage.set_trial_user_attributes(running._trial_id, {"end": "finished", "sigma": 0.5})
    assert storage.get_trial(running._trial_id).user_attrs == {"end": "finished", "sigma": 0.5}
    assert repr(storage.get_trial(ended._trial_id)) == repr(RDBStorage(url).get_trial(ended._trial_id))
    with pytest.raises(KeyError):
        storage.get_trial(99)
    ids = [trial._trial_id for trial in (changed, known, new)]
    for wanted in ({ids[0]}, {ids[0], ids[1], ids[2]}, set[int]()):
        arguments = study._study_id, None, wanted, ids[1]
        expected = [repr(trial) for trial in RDBStorage(url)._get_trials(*arguments)]
        assert [repr(trial) for trial in storage._get_trials(*arguments)] == expected
