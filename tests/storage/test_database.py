"""Databases that are damaged, empty or another program's."""

import shutil
from pathlib import Path

import optuna
import pytest

from hpo.config.prepared_study import PreparedStudy
from hpo.storage.backend import existing_study
from hpo.storage.database import StudyError
from hpo.storage.local.sqlite_database import checkpoint_log, create_database
from hpo.storage.paths import StudyPaths
from hpo.storage.study_lock import locked_study
from tests.tools.small_study import CONFIG


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    paths = StudyPaths(tmp_path / "results" / "small")
    paths.folder.mkdir(parents=True)
    return paths


def test_a_file_that_is_no_database_is_named_with_the_remedy(paths: StudyPaths) -> None:
    paths.database.write_bytes(b"this is not SQLite" * 100)
    with pytest.raises(StudyError, match=r"study\.db: cannot be opened as a study .* start over with --fresh"):
        existing_study("small", paths)


def test_an_empty_database_counts_as_no_study(paths: StudyPaths) -> None:
    paths.database.touch()
    assert existing_study("small", paths) is None


def test_a_study_of_another_program_is_refused(paths: StudyPaths) -> None:
    study = optuna.create_study(study_name="small", storage=f"sqlite:///{paths.database}")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(StudyError, match="another program created its study small"):
        existing_study("small", paths)


def copied_trials(paths: StudyPaths) -> int:
    """Return the number of trials in a copy of study.db without its log."""
    copy = shutil.copy(paths.database, paths.folder / "copy.db")
    return len(optuna.load_study(study_name="small", storage=f"sqlite:///{copy}").trials)


def test_a_copy_of_the_database_has_every_trial_though_another_connection_stays_open(paths: StudyPaths) -> None:
    create_database(paths.database)
    study = optuna.create_study(study_name="small", storage=f"sqlite:///{paths.database}")
    checkpoint_log(paths)
    study.add_trial(optuna.trial.create_trial(value=7.0))
    assert copied_trials(paths) == 0, "the trial is in the log"
    checkpoint_log(paths)
    assert copied_trials(paths) == 1


def test_a_call_that_fails_leaves_its_trials_in_the_database(
    paths: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(paths.folder.parents[1])
    create_database(paths.database)
    study = optuna.create_study(study_name="small", storage=f"sqlite:///{paths.database}")
    monkeypatch.setattr("hpo.storage.study_lock.existing_study", lambda *_: study)
    monkeypatch.setattr("hpo.storage.study_lock.check_unchanged", lambda *_: None)
    monkeypatch.setattr("hpo.storage.study_lock.fingerprint", lambda *_: {})
    monkeypatch.setattr("hpo.storage.study_lock.as_created", lambda _, config: config)
    prepared = PreparedStudy(CONFIG, None, None, ())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="three trials failed"), locked_study(prepared, fresh=False):
        study.add_trial(optuna.trial.create_trial(value=7.0))
        raise RuntimeError("three trials failed")
    assert copied_trials(paths) == 1
