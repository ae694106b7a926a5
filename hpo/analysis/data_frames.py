"""A study as two data frames: its trials, and their reports."""

import csv
import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, get_type_hints

import pandas as pd
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.analysis.trial_table import TrialRow
from hpo.config.hyperparameters import TUTORIAL
from hpo.config.schema import StudyConfig
from hpo.storage.artifacts import artifact_names, trial_artifact_files
from hpo.storage.paths import RunPaths, StudyPaths
from model.training.training_loop import EpochMetrics

_TIMES = ("datetime_start", "datetime_complete")
_KINDS = {int: "Int64", float: "float64", str: "string"}


def trials_frame(rows: Sequence[TrialRow], config: StudyConfig) -> pd.DataFrame:
    """Return one row per trial; values that a trial does not have are missing.

    Columns: number, state, kind and end; the trial that it continues or confirms; every hyperparameter; val_bpd, rate
    and distortion (nats per image), mse, sigma; epoch, elapsed_s, own_elapsed_s (without the trial that it continues),
    images_per_second; the local times datetime_start and datetime_complete.
    """
    names = list(config.hyperparameters.entries())
    kinds = {name: _KINDS.get(type(getattr(TUTORIAL, name)), "string") for name in names}
    numbers = ("val_bpd", "rate_nats", "distortion_nats", "mse", "sigma", "epoch", "elapsed_s", "own_elapsed_s")
    columns = {
        "number": "int64",
        **dict.fromkeys(("state", "kind", "end"), "string"),
        **dict.fromkeys(("continues", "confirms"), "Int64"),
        **kinds,
        **dict.fromkeys((*numbers, "images_per_second"), "float64"),
        **dict.fromkeys(_TIMES, "datetime64[us]"),
    }
    records = [_record(row) for row in rows]
    return pd.DataFrame(records, columns=list(columns)).astype(columns)


def epochs_frame(rows: Sequence[TrialRow], study: Study, paths: StudyPaths) -> pd.DataFrame:
    """Return one row per report: trial, epoch, and every metric of a report point.

    The metrics come from the table among the trial's artifacts; for a trial without one, only val_bpd is known.
    """
    hints = get_type_hints(EpochMetrics)
    columns = {"trial": "int64"} | {field.name: _KINDS[hints[field.name]] for field in fields(EpochMetrics)}
    trials, files = study.get_trials(deepcopy=False), artifact_names(paths)
    parts = [_reports(row, trials[row.number], paths, files) for row in rows]
    records = [record for part in parts for record in part]
    return pd.DataFrame(records, columns=list(columns)).astype(columns)


def _record(row: TrialRow) -> dict[str, Any]:
    columns = {field.name: getattr(row, field.name) for field in fields(TrialRow)}
    return columns | row.values | dict(zip(_TIMES, (row.started, row.completed), strict=True))


def _reports(row: TrialRow, trial: FrozenTrial, paths: StudyPaths, files: frozenset[str]) -> list[dict[str, Any]]:
    table = trial_artifact_files(trial, paths, files).get(RunPaths(paths.folder).metrics_csv.name)
    if table is None:
        return [{"trial": row.number, "epoch": epoch, "val_bpd": val_bpd} for epoch, val_bpd in row.curve]
    # Not pandas.read_csv, which takes a millisecond for each of thousands of tables.
    with table.open(newline="", encoding="utf-8") as file:
        return [{"trial": row.number} | _numbers(record) for record in csv.DictReader(file)]


def _numbers(record: dict[str, str]) -> dict[str, float]:
    """Return the numbers of a line of a table; an empty cell is not a number."""
    return {name: float(value) if value else math.nan for name, value in record.items()}
