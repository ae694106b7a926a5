"""One worker: trials one after another until the budget is spent. Several may share a study."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.search.configurations import finished_trials
from hpo.storage.file_locks import is_held, wait_for_lock
from hpo.storage.paths import StudyPaths

# In the claim of a worker that died since its leader did.
PARENT_DIED = "its leader died"


@dataclass(frozen=True)
class Claim:
    """A trial of ours: as long as `file` is open, no other worker takes it."""

    trial: optuna.trial.Trial
    file: IO[str]


def interrupted_trials(study: Study, paths: StudyPaths) -> list[int]:
    """Numbers of trials that were begun and not ended, and that no living worker holds."""
    return [number for number in running_trials(study.get_trials(deepcopy=False)) if not has_worker(paths, number)]


def remove_stale_claims(study: Study, paths: StudyPaths) -> None:
    """Remove the claims that workers left behind which were killed once their trials had ended."""
    for trial in finished_trials(study):
        if not has_worker(paths, trial.number):
            paths.claim(trial.number).unlink(missing_ok=True)


def mark_claims_as_parent_died(paths: StudyPaths) -> None:
    """Write down that it is for the leader's sake, not by a trial's fault, that its workers die."""
    for claim in paths.trial_claims():
        # Not made again where its trial has just been let go of.
        with contextlib.suppress(OSError), claim.open("r+") as file:
            file.write(PARENT_DIED)


def has_worker(paths: StudyPaths, trial_number: int) -> bool:
    """Whether a living worker has this trial."""
    return is_held(paths.claim(trial_number))


def running_trials(trials: list[FrozenTrial]) -> dict[int, FrozenTrial]:
    return {trial.number: trial for trial in trials if trial.state == TrialState.RUNNING}


@contextlib.contextmanager
def released(claim: Claim, paths: StudyPaths) -> Iterator[None]:
    """Let go of the trial when the block ends, however it does: only a killed worker leaves its file behind."""
    try:
        yield
    finally:
        with wait_for_lock(paths.next_claim), claim.file:
            paths.claim(claim.trial.number).unlink(missing_ok=True)
