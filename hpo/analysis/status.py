"""How a study stands: its trials, its best, who works on it, its disk, and whatever needs attention."""

import contextlib
import os
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from optuna.study import Study

from hpo.analysis.formatting import format_value
from hpo.analysis.trial_table import TrialRow, trial_rows
from hpo.config.schema import StudyConfig
from hpo.search.best_trial import best_configuration
from hpo.search.configurations import Configuration, configurations_of
from hpo.search.remaining_work import RemainingWork, remaining_work
from hpo.storage.artifacts import lost
from hpo.storage.claims import has_worker
from hpo.storage.file_locks import is_held
from hpo.storage.paths import StudyPaths

# Smaller parts of a study's folder are counted, not named.
_SHOWN_BYTES = 100_000


@dataclass(frozen=True)
class UnderWay:
    """A trial that was begun and not ended: how far it is, and whether a living worker has it."""

    number: int
    epoch: float
    is_alive: bool
    has_checkpoint: bool


@dataclass(frozen=True)
class DiskUse:
    """What part of the study's folder takes how many bytes."""

    name: str
    n_bytes: int


@dataclass(frozen=True)
class Status:
    """A study at one moment. `counts` are of the trials that are over, by how they ended.

    `n_over` are the configurations among them: without trials that another continues, or that confirm one.
    """

    folder: Path
    source: str
    n_total: int | None
    n_over: int
    counts: dict[str, int]
    under_way: tuple[UnderWay, ...]
    n_waiting: int
    best: Configuration | None
    left: RemainingWork
    is_worked_on: bool
    is_retrained: bool
    retraining_begun: bool
    lost: str | None
    disk: tuple[DiskUse, ...]
    faults: tuple[str, ...]


def status_of(study: Study, config: StudyConfig, paths: StudyPaths) -> Status:
    """Look at a study, changing nothing."""
    rows = trial_rows(study, config)
    over = [row for row in rows if row.kind != "running"]
    return Status(
        folder=paths.folder,
        source=study.user_attrs["data"]["source"],
        n_total=config.budget.trials,
        n_over=sum(row.continued_by is None and row.confirms is None for row in over),
        counts=dict(Counter(row.kind for row in over).most_common()),
        under_way=tuple(_under_way(row, paths) for row in rows if row.kind == "running"),
        n_waiting=len(study.get_trials(deepcopy=False)) - len(rows),
        best=best_configuration(configurations_of(study)),
        left=remaining_work(study, config),
        is_worked_on=is_held(paths.lock),
        is_retrained=paths.best.metrics_json.exists(),
        retraining_begun=paths.best.under_way.state.exists() and not is_held(paths.best.lock),
        lost=lost(study, paths),
        disk=tuple(_disk_use(paths)),
        faults=tuple(f"trial {row.number} {row.end}" for row in over if row.kind == "failed"),
    )


def described(status: Status, config: StudyConfig, config_name: str) -> list[str]:
    """The same in words, a line each; the last one says what to do next."""
    attention = _attention(status, config_name)
    return [
        f"{status.folder}: {_trials(status)}",
        f"{'best' if len(config.objectives) == 1 else 'best by val_bpd'}: {_best(status.best, config)}",
        f"workers: {_workers(status)}",
        f"disk: {_disk(status.disk)}",
        *([f"attention: {line}" for line in attention] or ["attention: nothing needs it"]),
        f"Next: {_next(status, config_name)}",
    ]


def _under_way(row: TrialRow, paths: StudyPaths) -> UnderWay:
    return UnderWay(row.number, row.epoch, has_worker(paths, row.number), _is_whole(paths.checkpoint(row.number)))


def _is_whole(checkpoint: Path) -> bool:
    """Whether it has a beginning and an end; all of it is read when it is needed."""
    return zipfile.is_zipfile(checkpoint)


def _disk_use(paths: StudyPaths) -> list[DiskUse]:
    """The largest first."""
    parts = [*paths.folder.iterdir(), paths.best.under_way.folder]
    uses = [DiskUse(part.name, _size(part)) for part in dict.fromkeys(parts)]
    return sorted((use for use in uses if use.n_bytes), key=lambda use: -use.n_bytes)


def _size(path: Path) -> int:
    walked = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    n_bytes = 0
    for file in walked if path.is_dir() else [path]:
        # A study under way renames and removes.
        with contextlib.suppress(FileNotFoundError):
            n_bytes += file.stat().st_size
    return n_bytes


def _trials(status: Status) -> str:
    total = f" of {status.n_total}" if status.n_total else ""
    ended = ", ".join(f"{n} {kind}" for kind, n in status.counts.items()) or "none over"
    sample = ", on the bundled sample" if status.source == "sample" else ""
    waiting = f", {status.n_waiting} waiting" if status.n_waiting else ""
    return f"{status.n_over}{total} trials over ({ended}), {len(status.under_way)} under way{waiting}{sample}"


def _best(best: Configuration | None, config: StudyConfig) -> str:
    if best is None:
        return "no trial has finished yet"
    values = ", ".join(f"{name} {format_value(value)}" for name, value in best.params.items())
    n_seeds = len(best.confirmed)
    by = f" (confirmed with {n_seeds} new seed{'s' * (n_seeds > 1)}: {best.confirmed_mean:.4f})" if n_seeds else ""
    return f"trial {best.last.number}, val_bpd {best.value:.4f} after {config.training.epochs} epochs{by}: {values}"


def _workers(status: Status) -> str:
    alive = [trial for trial in status.under_way if trial.is_alive]
    if not alive:
        return "make tune is running, between trials" if status.is_worked_on else "none"
    return f"{len(alive)} alive: " + ", ".join(f"trial {trial.number} after epoch {trial.epoch:g}" for trial in alive)


def _disk(disk: tuple[DiskUse, ...]) -> str:
    total = sum(use.n_bytes for use in disk)
    format_value = [f"{use.name} {_megabytes(use.n_bytes)}" for use in disk if use.n_bytes >= _SHOWN_BYTES]
    return f"{_megabytes(total)}: {', '.join(format_value)}" if format_value else _megabytes(total)


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"


def _attention(status: Status, config_name: str) -> list[str]:
    lines = [_interrupted(trial, config_name) for trial in status.under_way if not trial.is_alive]
    lines += status.faults
    if status.lost:
        lines.append(status.lost)
    if status.retraining_begun:
        lines.append(f"a retraining was interrupted; make best-retrain STUDY={config_name} goes on with it")
    return lines


def _interrupted(trial: UnderWay, config_name: str) -> str:
    where = f"after epoch {trial.epoch:g}" if trial.has_checkpoint else "at its start"
    return f"trial {trial.number} was interrupted; make tune STUDY={config_name} goes on with it {where}"


def _next(status: Status, config_name: str) -> str:
    interrupted = any(not trial.is_alive for trial in status.under_way)
    has_room = status.n_total is None or status.n_over < status.n_total
    if status.is_worked_on:
        return f"make dashboard STUDY={config_name}, or wait"
    if status.best is None or interrupted or (has_room and status.n_total is not None):
        return f"make tune STUDY={config_name}"
    if status.left.n_seeds_missing:
        return status.left.commands(config_name)
    if status.is_retrained and not status.retraining_begun:
        return f"open {StudyPaths(status.folder).best.page}"
    return status.left.commands(config_name) or f"make best-retrain STUDY={config_name}"
