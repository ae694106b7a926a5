"""Trials as trackers show them: values, metrics of every report, final scores and pictures."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpo.analysis.data_frames import epochs_frame
from hpo.analysis.trial_table import Kind, TrialRow, trial_rows
from hpo.storage.artifacts import artifact_names, trial_artifact_files
from hpo.storage.open_study import OpenStudy

_FAILED: tuple[Kind, ...] = ("failed", "diverged", "out of memory")
_FINAL = ("val_bpd", "rate_nats", "distortion_nats", "mse", "sigma")
# Final scores have names of their own: a pruned trial has a last score, but no final one.
_PREFIX = "final"
FINAL_SCORE = f"{_PREFIX}/{_FINAL[0]}"


@dataclass(frozen=True)
class Report:
    """Metrics at a report. `step` is the report's number, from 1; `time_s` is in seconds since 1970."""

    step: int
    time_s: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class TrackedTrial:
    """A trial as trackers show it; times are in seconds since 1970.

    `tags` say how it ended and which trial it continues or confirms. `reports` include those of the trial that it
    continues. `final` has the scores of a finished trial, else nothing. `pictures` are files by name.
    """

    number: int
    name: str
    values: dict[str, Any]
    tags: dict[str, str]
    is_running: bool
    has_failed: bool
    started_s: float
    ended_s: float | None
    reports: tuple[Report, ...]
    final: dict[str, float]
    pictures: dict[str, Path]


def tracked_trials(opened: OpenStudy) -> Iterator[TrackedTrial]:
    """Yield each trial that was started, in the order of the numbers."""
    rows = trial_rows(opened.study, opened.config)
    by_trial = dict(list(epochs_frame(rows, opened.study, opened.paths).groupby("trial")))
    trials, files = opened.study.get_trials(deepcopy=False), artifact_names(opened.paths)
    for row in rows:
        stored = trial_artifact_files(trials[row.number], opened.paths, files)
        paths = opened.paths.trial(row.number)
        yield TrackedTrial(
            number=row.number,
            name=paths.folder.name,
            values=row.values,
            tags=_tags(row),
            is_running=row.kind == "running",
            has_failed=row.kind in _FAILED,
            started_s=_started_s(row),
            ended_s=row.completed.timestamp() if row.completed else None,
            reports=tuple(_reports(by_trial[row.number], row)) if row.number in by_trial else (),
            final=_final(row),
            pictures={path.name: stored[path.name] for path in paths.pictures() if path.name in stored},
        )


def _tags(row: TrialRow) -> dict[str, str]:
    tags = {"kind": row.kind, "end": row.end, "continues": row.continues, "confirms": row.confirms}
    return {name: str(value) for name, value in tags.items() if value is not None}


def _started_s(row: TrialRow) -> float:
    return row.started.timestamp() if row.started else 0.0


def _reports(frame: pd.DataFrame, row: TrialRow) -> Iterator[Report]:
    # The clock of a trial that continues another one began when that one started.
    before_s = (row.elapsed_s or 0.0) - (row.own_elapsed_s or 0.0)
    metrics = frame.drop(columns="trial").astype("float64").to_dict("records")
    for step, record in enumerate(metrics, start=1):
        known = {str(name): value for name, value in record.items() if not math.isnan(value)}
        yield Report(step, _started_s(row) + max(0.0, known.get("elapsed_s", before_s) - before_s), known)


def _final(row: TrialRow) -> dict[str, float]:
    if row.kind not in ("finished", "confirmation"):
        return {}
    scores = {f"{_PREFIX}/{name}": getattr(row, name) for name in _FINAL}
    return {name: score for name, score in scores.items() if score is not None}
