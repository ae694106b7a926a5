"""A study as MLflow's store: an SQLite database, and a folder of pictures beside it."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from hpo.report.trackers.tracked_trials import TrackedTrial
from hpo.storage.paths import TrackerPaths

# What MLflow takes in one call.
_MAX_METRICS = 1000


def write(trials: Iterable[TrackedTrial], study_name: str, target: TrackerPaths) -> None:
    """Write the trials into an empty folder: the study is an experiment, a trial is a run."""
    # SQLite needs locks, which not every disk has, and MLflow takes no path with certain characters.
    with tempfile.TemporaryDirectory() as folder:
        database = TrackerPaths(Path(folder)).mlflow_database
        client = MlflowClient(tracking_uri=f"sqlite:///{database}")
        # `mlflow server` finds files with such an address below the folder where it starts, wherever that is.
        experiment = client.create_experiment(study_name, artifact_location=f"mlflow-artifacts:/{study_name}")
        for trial in trials:
            run_id = _write_run(client, experiment, trial)
            _copy_pictures(trial, target.mlflow_artifacts(study_name, run_id))
        shutil.copyfile(database, target.mlflow_database)


def _write_run(client: MlflowClient, experiment: str, trial: TrackedTrial) -> str:
    """Write a trial without its pictures; return the id of its run."""
    start_ms = round(1000 * trial.started_s)
    run_id = str(client.create_run(experiment, start_time=start_ms, run_name=trial.name).info.run_id)
    params = [Param(name, str(value)) for name, value in trial.values.items()]
    tags = [RunTag(name, value) for name, value in trial.tags.items()]
    client.log_batch(run_id, params=params, tags=tags)
    metrics = _metrics(trial)
    for first in range(0, len(metrics), _MAX_METRICS):
        client.log_batch(run_id, metrics=metrics[first : first + _MAX_METRICS])
    if trial.ended_s is not None:
        status = "FAILED" if trial.has_failed else "FINISHED"
        client.set_terminated(run_id, status, end_time=round(1000 * trial.ended_s))
    return run_id


def _metrics(trial: TrackedTrial) -> list[Metric]:
    of_reports = [
        Metric(name, value, round(1000 * report.time_s), report.step)
        for report in trial.reports
        for name, value in report.metrics.items()
    ]
    end_ms = round(1000 * (trial.ended_s or trial.started_s))
    # MLflow draws a single value at step 0 as a bar, at another step as a curve of one point.
    return of_reports + [Metric(name, value, end_ms, 0) for name, value in trial.final.items()]


def _copy_pictures(trial: TrackedTrial, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, path in trial.pictures.items():
        shutil.copyfile(path, folder / name)
