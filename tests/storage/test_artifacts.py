"""Artifacts of a study and its trials: uploads, lost files and remains of killed uploads."""

import json
import os
import re
import shutil
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from hpo.storage import artifacts
from hpo.storage.artifacts import (
    artifact_files,
    artifact_names,
    artifact_store,
    dashboard_url,
    missing_artifacts_notice,
    trial_artifact_files,
    upload_or_replace,
)
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from tests.tools.small_study import reopen


@pytest.fixture
def study(context: TrialContext) -> optuna.Study:
    return context.study


@pytest.fixture
def paths(context: TrialContext) -> StudyPaths:
    return context.paths


@pytest.fixture
def in_memory() -> optuna.Study:
    return optuna.create_study()


@pytest.fixture
def folder(tmp_path: Path) -> StudyPaths:
    """Paths of a study without files."""
    return StudyPaths(tmp_path / "small")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "page.html"
    page.write_text("content")
    return page


def test_new_content_under_a_name_stays_the_same_artifact(study: optuna.Study, paths: StudyPaths, page: Path) -> None:
    upload_or_replace(study, study, page, paths)
    (artifact,) = paths.artifacts.iterdir()
    page.write_text("second content, longer")
    upload_or_replace(study, study, page, paths)
    assert artifact_files(study, study, paths) == {"page.html": artifact}
    assert list(paths.artifacts.iterdir()) == [artifact]
    with artifact_store(paths).open_reader(artifact.name) as content:
        assert content.read() == b"second content, longer", "as the dashboard reads it"


def test_an_artifact_that_was_deleted_in_the_dashboard_does_not_count(
    study: optuna.Study, paths: StudyPaths, page: Path
) -> None:
    upload_or_replace(study, study, page, paths)
    (artifact,) = paths.artifacts.iterdir()
    # As the dashboard does it.
    artifact.unlink()
    study._storage.set_study_system_attr(study._study_id, f"artifacts:{artifact.name}", json.dumps(None))
    assert artifact_files(study, study, paths) == {}
    assert missing_artifacts_notice(study, paths) is None
    upload_or_replace(study, study, page, paths)
    assert artifact_files(study, study, paths).keys() == {"page.html"}


def test_unreferenced_files_are_removed_and_no_others(
    study: optuna.Study, paths: StudyPaths, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_or_replace(study, study, page, paths)
    upload_or_replace(study.ask(), study, page, paths)
    referenced = set(paths.artifacts.iterdir())
    unreferenced = paths.artifacts / "3c1f7a52-0d3b-4a53-9f0c-6e8f0b1d2a34"
    half_written = paths.artifacts / f".{next(iter(referenced)).name}.4711"
    being_uploaded = paths.artifacts / "b1d2a341-0d3b-4a53-9f0c-6e8f0b1d2a34"
    foreign = paths.artifacts / "README.txt"
    # By an attribute that earlier dashboards wrote.
    earlier = paths.artifacts / "4c1f7a52-0d3b-4a53-9f0c-6e8f0b1d2a34"
    study._storage.set_study_system_attr(study._study_id, f"dashboard:artifacts:{earlier.name}", json.dumps({}))
    for path in (unreferenced, half_written, being_uploaded, foreign, earlier):
        path.write_text("x")
    an_hour_ago = time.time() - 3600
    for path in (*referenced, unreferenced, half_written, foreign, earlier):
        os.utime(path, (an_hour_ago, an_hour_ago))
    assert artifacts.remove_unreferenced_files(study, paths) == 2
    assert set(paths.artifacts.iterdir()) == referenced | {being_uploaded, foreign, earlier}
    # The dashboard removes one of them meanwhile.
    half_written.write_text("x")
    os.utime(half_written, (an_hour_ago, an_hour_ago))
    monkeypatch.setattr(Path, "glob", lambda *_: iter([unreferenced, half_written]))
    assert artifacts.remove_unreferenced_files(study, paths) == 1 and not half_written.exists()


def test_the_files_of_many_trials_are_found_with_one_look_into_the_folder(
    in_memory: optuna.Study, folder: StudyPaths, page: Path
) -> None:
    assert artifact_names(folder) == frozenset()
    trial = in_memory.ask()
    upload_or_replace(trial, in_memory, page, folder)
    (artifact,) = folder.artifacts.iterdir()
    frozen = in_memory.get_trials()[trial.number]
    assert artifact_names(folder) == {artifact.name}
    assert trial_artifact_files(frozen, folder, frozenset({artifact.name})) == {"page.html": artifact}
    assert trial_artifact_files(frozen, folder, frozenset()) == {}


def test_the_dashboards_address_of_an_artifact_is_known_if_it_has_one(
    in_memory: optuna.Study, folder: StudyPaths, page: Path
) -> None:
    assert dashboard_url(in_memory, in_memory, "page.html") is None
    upload_or_replace(in_memory, in_memory, page, folder)
    (artifact,) = folder.artifacts.iterdir()
    assert dashboard_url(in_memory, in_memory, "page.html") == f"/artifacts/{in_memory._study_id}/{artifact.name}"
    trial = in_memory.ask()
    upload_or_replace(trial, in_memory, page, folder)
    (artifact,) = set(folder.artifacts.iterdir()) - {artifact}
    address = dashboard_url(trial, in_memory, "page.html")
    assert address == f"/artifacts/{in_memory._study_id}/{trial._trial_id}/{artifact.name}"


@pytest.mark.parametrize(("n_missing", "more"), [(3, ""), (4, ", ...")])
def test_at_most_three_missing_files_are_named(
    n_missing: int, more: str, in_memory: optuna.Study, folder: StudyPaths, tmp_path: Path
) -> None:
    for number in range(n_missing):
        page = tmp_path / f"{number}.html"
        page.touch()
        upload_or_replace(in_memory, in_memory, page, folder)
    shutil.rmtree(folder.artifacts)
    notice = missing_artifacts_notice(in_memory, folder)
    named = ", ".join(["N.html of the study"] * 3)
    assert notice is not None and re.sub(r"\d.html", "N.html", notice) == (
        f"{folder.artifacts}: {n_missing} of {n_missing} files of the study are missing ({named}{more}); restore them "
        "from a backup to see them in the dashboard. The search does not need them"
    )


def test_missing_artifacts_of_ended_trials_are_counted_and_named(
    study: optuna.Study, paths: StudyPaths, page: Path
) -> None:
    trial = study.ask()
    for owner in (study, trial):
        upload_or_replace(owner, study, page, paths)
    study.tell(trial, state=TrialState.FAIL)
    assert missing_artifacts_notice(study, paths) is None
    artifact_files(study.trials[0], study, paths)["page.html"].unlink()
    notice = missing_artifacts_notice(study, paths)
    assert notice is not None
    assert notice.startswith(f"{paths.artifacts}: 1 of 2 files of the study are missing (page.html of trial 0);")
    assert "backup" in notice
    assert artifact_files(study.trials[0], study, paths) == {}


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_running_trial_has_no_missing_artifacts(
    context: TrialContext, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial that was killed during an upload refers to a file that is written when the trial is resumed."""
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("hpo.storage.local.files.shutil.copyfileobj", killed)
        upload_or_replace(context.study.ask(), context.study, page, context.paths)
    study = reopen(context).study
    attributes = study._storage.get_trial_system_attrs(study.trials[0]._trial_id)
    assert [key for key in attributes if key.startswith("artifacts:")], "the upload had started"
    assert missing_artifacts_notice(study, context.paths) is None
