"""MLflow's own client finds the study in the store."""

from pathlib import Path
from typing import Any

import pytest

from hpo.report.trackers.export_to_tracker import export
from hpo.report.trackers.tracked_trials import tracked_trials
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import TrackerPaths

pytest.importorskip("mlflow", reason="needs the packages of requirements-track.txt")
# MLflow makes its tables.
pytestmark = pytest.mark.slow

Runs = dict[str, tuple[Any, dict[str, list[Any]]]]


@pytest.fixture(scope="module")
def target(study: OpenStudy, tmp_path_factory: pytest.TempPathFactory) -> TrackerPaths:
    # SQLAlchemy reads such a path as something else.
    target = TrackerPaths(tmp_path_factory.mktemp("mlflow") / "a ?b %20 #c")
    export(study, "mlflow", target)
    return target


@pytest.fixture(scope="module")
def runs(target: TrackerPaths, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Each run by its name, with the history of each metric."""
    from mlflow import MlflowClient

    link = tmp_path_factory.mktemp("link") / "mlflow.db"
    link.symlink_to(target.mlflow_database)
    client = MlflowClient(tracking_uri=f"sqlite:///{link}")
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    histories = [{name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics} for run in found]
    return {run.info.run_name: (run, history) for run, history in zip(found, histories, strict=True)}


def test_curves_are_those_of_the_study(study: OpenStudy, runs: Runs) -> None:
    trials = list(tracked_trials(study))
    assert runs.keys() == {trial.name for trial in trials}
    for trial in trials:
        _, histories = runs[trial.name]
        assert {(name, m.step, m.timestamp, m.value) for name, history in histories.items() for m in history} == {
            (name, report.step, round(1000 * report.time_s), value)
            for report in trial.reports
            for name, value in report.metrics.items()
        } | {(name, 0, round(1000 * (trial.ended_s or 0)), value) for name, value in trial.final.items()}


def test_values_ends_and_times_are_those_of_the_trials(study: OpenStudy, runs: Runs) -> None:
    for trial in tracked_trials(study):
        run, _ = runs[trial.name]
        assert run.data.params == {name: str(value) for name, value in trial.values.items()}
        assert trial.tags.items() <= run.data.tags.items()
        assert run.info.start_time == 1000 * trial.started_s
        assert run.info.end_time == (trial.ended_s and 1000 * trial.ended_s)
    statuses = {name: run.info.status for name, (run, _) in sorted(runs.items())}
    assert list(statuses.values()) == ["FINISHED", "FINISHED", "FAILED", "RUNNING"]


def test_pictures_are_where_a_server_looks_for_them(study: OpenStudy, target: TrackerPaths, runs: Runs) -> None:
    trial = next(tracked_trials(study))
    info = runs[trial.name][0].info
    assert info.artifact_uri == f"mlflow-artifacts:/small/{info.run_id}/artifacts"
    folder = target.folder / "mlartifacts" / "small" / info.run_id / "artifacts"
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found == {name: path.read_bytes() for name, path in trial.pictures.items()}


def test_nothing_but_the_store_and_its_pictures_is_left(target: TrackerPaths) -> None:
    assert {path.name for path in target.folder.iterdir()} == {"mlflow.db", "mlartifacts", target.origin.name}
    assert list(Path(target.folder.parent).iterdir()) == [target.folder]
