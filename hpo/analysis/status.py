"""Status of a study: its trials, its best trial, its workers, its disk use, and what needs the user's attention."""

import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optuna.study import Study

from hpo.analysis.further_search import further_search_of
from hpo.analysis.trial_table import TrialRow, trial_rows
from hpo.config.schema import StudyConfig
from hpo.search.best_trial import BestTrial, best_trial_of, expected_best_of
from hpo.search.configurations import configurations_of
from hpo.search.learning_curves.further_search import FurtherSearch
from hpo.search.remaining_work import RemainingWork, remaining_work
from hpo.search.samplers import sampler_of
from hpo.storage.artifacts import missing_artifacts_notice
from hpo.storage.backend import backend_of
from hpo.storage.local.file_locks import is_locked
from hpo.storage.paths import StudyPaths


@dataclass(frozen=True)
class RunningTrial:
    """A trial that has started and not ended. `has_worker` is True if a living process trains it."""

    number: int
    epoch: float
    has_worker: bool
    has_checkpoint: bool


@dataclass(frozen=True)
class DiskUse:
    """Size of one part of the study's folder."""

    name: str
    n_bytes: int


@dataclass(frozen=True)
class Status:
    """Status of a study at one moment.

    `address` says where its trials are, `folder` has what this machine has drawn.
    `counts` are the numbers of ended trials by how they ended. `n_configurations` counts the ended trials without those
    that another trial continues and those that confirm one. `expected_best` names the trial that is expected to end
    best, while none has finished. `further` is what another call is expected to bring; None
    if that cannot be told. `is_running` is True while a call of tune works on the study. `retraining_was_interrupted`
    is True if a retraining has started, has not ended, and no process runs it. `lost_files` is a notice of artifacts
    that are missing, None if none is.
    """

    address: str
    folder: Path
    source: str
    n_total: int | None
    n_configurations: int
    counts: dict[str, int]
    running: tuple[RunningTrial, ...]
    n_waiting: int
    best: BestTrial | None
    expected_best: str | None
    remaining: RemainingWork
    further: FurtherSearch | None
    is_running: bool
    is_retrained: bool
    retraining_was_interrupted: bool
    lost_files: str | None
    disk: tuple[DiskUse, ...]
    failures: tuple[str, ...]


def status_of(study: Study, config: StudyConfig, paths: StudyPaths) -> Status:
    """Determine the status of a study without changing anything."""
    rows, sampler = trial_rows(study, config), sampler_of(study, config)
    ended = [row for row in rows if row.kind != "running"]
    expected = expected_best_of(configurations_of(study), sampler)
    return Status(
        address=paths.address,
        folder=paths.folder,
        source=study.user_attrs["data"]["source"],
        n_total=config.budget.trials,
        n_configurations=sum(row.continued_by is None and row.confirms is None for row in ended),
        counts=dict(Counter(row.kind for row in ended).most_common()),
        running=_running_trials(study, rows, paths),
        n_waiting=len(study.get_trials(deepcopy=False)) - len(rows),
        best=best_trial_of(configurations_of(study)),
        expected_best=expected.sentence if expected else None,
        remaining=remaining_work(study, config, sampler),
        further=further_search_of(study, config, sampler),
        is_running=backend_of(paths).claims.is_tuned(study),
        is_retrained=paths.best.metrics_json.exists(),
        retraining_was_interrupted=paths.best.under_way.state.exists() and not is_locked(paths.best.lock),
        lost_files=missing_artifacts_notice(study, paths),
        disk=tuple(_disk_use(paths)),
        failures=tuple(f"trial {row.number} {row.end}" for row in ended if row.kind == "failed"),
    )


def _running_trials(study: Study, rows: Sequence[TrialRow], paths: StudyPaths) -> tuple[RunningTrial, ...]:
    backend, trials = backend_of(paths), study.get_trials(deepcopy=False)
    running = {row.number: trials[row.number] for row in rows if row.kind == "running"}
    held = backend.claims.held(study, running.values())
    return tuple(
        RunningTrial(row.number, row.epoch, row.number in held, backend.files.has_checkpoint(running[row.number]))
        for row in rows
        if row.number in running
    )


def _disk_use(paths: StudyPaths) -> list[DiskUse]:
    """Measure the parts of the study's folder, the largest first; a machine may have none of a study of others."""
    parts = [*(paths.folder.iterdir() if paths.folder.is_dir() else ()), paths.best.under_way.folder]
    uses = [DiskUse(part.name, _size(part)) for part in dict.fromkeys(parts)]
    return sorted((use for use in uses if use.n_bytes), key=lambda use: -use.n_bytes)


def _size(path: Path) -> int:
    # Texts instead of Paths: a study of 10,000 trials has 50,000 artifacts.
    walked = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    n_bytes = 0
    for file in walked if path.is_dir() else [str(path)]:
        # A running study renames and removes files.
        with contextlib.suppress(FileNotFoundError):
            n_bytes += os.stat(file).st_size
    return n_bytes
