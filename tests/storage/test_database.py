"""Databases that are damaged, empty or another program's."""

from pathlib import Path

import optuna
import pytest

from hpo.storage.database import StudyError, existing_study
from hpo.storage.paths import StudyPaths


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
