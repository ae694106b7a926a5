"""Command `status`: print the state of a study."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from hpo.analysis.formatting import counted, format_megabytes, format_value
from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.json_lines import events
from hpo.cli.json_lines.output import emit
from hpo.cli.options import AsJson, Config, Files, Storage
from hpo.config.call_arguments import location_of
from hpo.storage.paths import StudyPaths
from hpo.user_commands import user_command

if TYPE_CHECKING:
    from hpo.analysis.status import DiskUse, RunningTrial, Status
    from hpo.config.schema import StudyConfig

# Parts of a study's folder from this size on are named; smaller ones count in the sum only.
_NAMED_BYTES = 100_000
# With --follow: seconds between two looks, and how often in a row nobody works before it ends.
_PAUSE_S, _N_IDLE = 3.0, 3


@reports_errors("Stopped.")
def status(
    config: Config,
    storage: Storage = None,
    files: Files = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Print it again whenever it changes, until nobody works on the study.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the state of a study.

    It shows trials, the best trial, running workers, disk space and what needs attention. The command changes nothing
    and can be run at any time, also while the study runs.
    """
    location = location_of(storage, files)
    study_config = config_of(config, location)
    from hpo.analysis.status import status_of
    from hpo.storage.fingerprint import as_trained
    from hpo.storage.open_study import find_study

    paths, study = find_study(study_config.name, config, location)
    study_config = as_trained(study, study_config)
    shown: list[str] = []
    emitted: events.Status | None = None
    n_idle = 0
    while True:
        found = status_of(study, study_config, paths)
        lines = status_lines(found, study_config, config)
        # What changes is printed, not the whole of it.
        if not as_json:
            print_lines(*(line for line in lines if line not in shown))
        elif _without_size(event := _as_event(found, study.study_name, config)) != emitted:
            emit(event)
            emitted = _without_size(event)
        shown, n_idle = lines, 0 if found.is_running else n_idle + 1
        # A worker is between two trials for an instant.
        if not follow or n_idle == _N_IDLE:
            return
        time.sleep(_PAUSE_S)


def _without_size(event: events.Status) -> events.Status:
    """Leave out what changes at every moment of a running study."""
    return replace(event, disk_bytes=0)


def _as_event(status: Status, study: str, config_name: str) -> events.Status:
    further = status.further
    return events.Status(
        study=study,
        address=status.address,
        images=status.source,
        configurations=status.n_configurations,
        configurations_in_all=status.n_total,
        trials=status.counts,
        waiting=status.n_waiting,
        running=tuple(
            events.RunningTrial(trial.number, trial.epoch, trial.has_worker, trial.has_checkpoint)
            for trial in status.running
        ),
        best=events.Best.of(status.best),
        outlook=events.Outlook(further.minutes, further.n_configurations, further.gain) if further else None,
        is_running=status.is_running,
        is_retrained=status.is_retrained,
        disk_bytes=sum(use.n_bytes for use in status.disk),
        attention=tuple(_attention(status, config_name)),
        next=_next_command(status, config_name),
    )


def status_lines(status: Status, config: StudyConfig, config_name: str) -> list[str]:
    """Return the status as lines for the terminal; the last line names the next command."""
    # Imported late: it needs Optuna and SciPy, for which a faulty file must not wait.
    from hpo.analysis.further_search import further_search_sentence

    attention = _attention(status, config_name) or ["none"]
    return [
        f"{status.address}: {_trials(status)}",
        f"{'best' if len(config.objectives) == 1 else 'best by val_bpd'}: {_best(status, config)}",
        *([f"outlook: {further_search_sentence(status.further, config)}"] if status.further else []),
        f"workers: {_workers(status)}",
        f"disk: {_disk(status.disk)}",
        *(f"attention: {line}" for line in attention),
        f"Next: {_next_command(status, config_name)}",
    ]


def _trials(status: Status) -> str:
    total = f" of {status.n_total}" if status.n_total else ""
    kinds = ", ".join(f"{n} {kind}" for kind, n in status.counts.items())
    ended = f" (trials: {kinds})" if kinds else ""
    sample = ", on the bundled sample" if status.source == "sample" else ""
    waiting = f", {status.n_waiting} waiting" if status.n_waiting else ""
    noun = "configurations" if status.n_total or status.n_configurations != 1 else "configuration"
    return f"{status.n_configurations}{total} {noun} ended{ended}, {len(status.running)} running{waiting}{sample}"


def _best(status: Status, config: StudyConfig) -> str:
    best = status.best
    if best is None:
        expected = f". {status.expected_best}" if status.expected_best else ""
        return f"no trial has finished yet{expected}"
    values = ", ".join(f"{name} {format_value(value)}" for name, value in best.params.items())
    n_seeds, length = len(best.confirmation_scores), counted(config.training.n_epochs, "epoch")
    by = f" (confirmed with {counted(n_seeds, 'new seed')}: {best.score:.4f})" if n_seeds else ""
    return f"trial {best.number}, val_bpd {best.val_bpd:.4f} after {length}{by}: {values}"


def _workers(status: Status) -> str:
    alive = [trial for trial in status.running if trial.has_worker]
    if not alive:
        return "a search is running, between trials" if status.is_running else "none"
    return f"{len(alive)} alive: " + ", ".join(f"trial {trial.number} after epoch {trial.epoch:g}" for trial in alive)


def _disk(disk: tuple[DiskUse, ...]) -> str:
    total = sum(use.n_bytes for use in disk)
    parts = [f"{use.name} {format_megabytes(use.n_bytes)}" for use in disk if use.n_bytes >= _NAMED_BYTES]
    return f"{format_megabytes(total)}: {', '.join(parts)}" if parts else format_megabytes(total)


def _attention(status: Status, config_name: str) -> list[str]:
    lines = [_interrupted(trial, config_name) for trial in status.running if not trial.has_worker]
    lines += status.failures
    if status.lost_files:
        lines.append(status.lost_files)
    if status.retraining_was_interrupted:
        lines.append(f"a retraining was interrupted; {user_command('retrain', config_name)} resumes it")
    return lines


def _interrupted(trial: RunningTrial, config_name: str) -> str:
    effect = f"resumes it after epoch {trial.epoch:g}" if trial.has_checkpoint else "starts it over"
    return f"trial {trial.number} was interrupted; {user_command('tune', config_name)} {effect}"


def _next_command(status: Status, config_name: str) -> str:
    has_interrupted = any(not trial.has_worker for trial in status.running)
    has_trials_left = status.n_total is not None and status.n_configurations < status.n_total
    if status.is_running:
        return f"{user_command('dashboard', config_name)}, or wait"
    if status.best is None or has_interrupted or has_trials_left:
        return user_command("tune", config_name)
    if status.remaining.n_seeds_missing:
        return status.remaining.next_commands(config_name)
    if status.is_retrained and not status.retraining_was_interrupted:
        return f"open {StudyPaths(status.folder).best.page}"
    return status.remaining.next_commands(config_name) or user_command("retrain", config_name)
