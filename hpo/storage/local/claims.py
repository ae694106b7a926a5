"""Claims of workers on trials: locks which ensure that each running trial has one worker."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.search.configurations import ended_trials
from hpo.storage.local.file_locks import is_locked, wait_for_lock
from hpo.storage.paths import StudyPaths

# Content of the claim of a worker that was stopped because its parent process stopped or died.
PARENT_DIED = "its parent process stopped"
# What earlier versions wrote.
_FIRST_PARENT_DIED = "its leader died"


@dataclass(frozen=True)
class Claim:
    """A trial that this worker has claimed; no other worker takes it while `file` is open."""

    trial: optuna.trial.Trial
    file: IO[str]


def interrupted_trials(study: Study, paths: StudyPaths) -> list[int]:
    """Return the numbers of running trials that no live worker holds."""
    return [number for number in running_trials(study.get_trials(deepcopy=False)) if not has_worker(paths, number)]


def remove_stale_claims(study: Study, paths: StudyPaths) -> None:
    """Remove claims of workers that were killed after their trials had ended."""
    existing = set(paths.trial_claims())
    for trial in ended_trials(study):
        if (claim := paths.claim(trial.number)) in existing and not is_locked(claim):
            claim.unlink(missing_ok=True)


def mark_claims_as_parent_died(paths: StudyPaths) -> None:
    """Record in all claims that their workers stop because of the parent process, not because of their trials."""
    for claim in paths.trial_claims():
        # Opened without creating it: the trial may just have been released.
        with contextlib.suppress(OSError), claim.open("r+") as file:
            file.write(PARENT_DIED)


def parent_died(claim: Path) -> bool:
    """Return True if this claim, which was left behind, is marked by `mark_claims_as_parent_died`."""
    return claim.read_text() in (PARENT_DIED, _FIRST_PARENT_DIED)


def has_worker(paths: StudyPaths, trial_number: int) -> bool:
    """Return True if a live worker holds this trial."""
    return is_locked(paths.claim(trial_number))


def running_trials(trials: list[FrozenTrial]) -> dict[int, FrozenTrial]:
    """Return the trials that have started and not ended, by number."""
    return {trial.number: trial for trial in trials if trial.state == TrialState.RUNNING}


@contextlib.contextmanager
def releasing(claim: Claim, paths: StudyPaths) -> Iterator[None]:
    """Release the trial when the block ends, however it ends; only a killed worker leaves its claim behind."""
    try:
        yield
    finally:
        with wait_for_lock(paths.claiming_lock), claim.file:
            paths.claim(claim.trial.number).unlink(missing_ok=True)
