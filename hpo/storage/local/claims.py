"""Claims of workers on trials: locks on files which ensure that each running trial has one worker on this machine."""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from hpo.search.configurations import ended_trials, running_trials
from hpo.search.scheduler import Step, n_alike
from hpo.storage.database import reopen_trial
from hpo.storage.interface import Claim, Loss
from hpo.storage.local.file_locks import hold_lock, is_locked, try_lock, wait_for_lock
from hpo.storage.paths import StudyPaths
from model.atomic_files import remove_unfinished

# Content of the claim of a worker that was stopped because its parent process stopped or died.
PARENT_DIED = "its parent process stopped"
# What earlier versions wrote.
_FIRST_PARENT_DIED = "its leader died"


@dataclass(frozen=True)
class LocalClaims:
    """Claims of one study, in its folder."""

    paths: StudyPaths

    def take_interrupted(self, study: Study) -> Claim | None:
        """Claim the first running trial that no live worker holds, under its own number."""
        with wait_for_lock(self.paths.claiming_lock):
            for number, frozen in sorted(running_trials(study.get_trials(deepcopy=False)).items()):
                path = self.paths.claim(number)
                was_left_behind = path.exists()
                if (file := try_lock(path)) is None:
                    continue
                remove_unfinished(self.paths.checkpoint(number))
                has_crashed = was_left_behind and not parent_died(path)
                file.truncate(0)
                return self._claim(reopen_trial(study, frozen), file, "crashed" if has_crashed else None)
        return None

    def take_waiting(self, study: Study) -> Claim | None:
        """Claim the first trial that waits; None if none does."""
        with wait_for_lock(self.paths.claiming_lock):
            return self._ask(study) if _has_waiting(study) else None

    def begin(self, study: Study, step: Step, limit: float) -> Claim | None:
        """Begin the trial of a step; None if others have begun as many trials like it as `limit` allows."""
        with wait_for_lock(self.paths.claiming_lock):
            trials = study.get_trials(deepcopy=False)
            if _has_waiting(study) or n_alike(trials, step) >= limit:
                return None
            if step.configuration:
                study.enqueue_trial(step.configuration.params, user_attrs=dict(step.attributes))
            return self._ask(study)

    @contextlib.contextmanager
    def deciding(self, study: Study) -> Iterator[None]:
        """Let no other process add trials while the block runs."""
        with wait_for_lock(self.paths.claiming_lock):
            yield

    def held(self, study: Study, trials: Collection[FrozenTrial]) -> set[int]:
        """Return the numbers of those of these trials that a live worker holds."""
        return {trial.number for trial in trials if is_locked(self.paths.claim(trial.number))}

    def state_of(self, study: Study) -> object:
        """Return None: looking again costs little here."""
        return None

    def tuning(self) -> contextlib.AbstractContextManager[None]:
        """Hold the study's lock. Raises: Busy: another call works on the study."""
        return hold_lock(self.paths.lock, str(self.paths.folder))

    def is_tuned(self, study: Study) -> bool:
        """Return True while a call of `tune` works on the study."""
        return is_locked(self.paths.lock)

    def clean(self, study: Study) -> None:
        """Remove claims of workers that were killed after their trials had ended."""
        existing = set(self.paths.trial_claims())
        for trial in ended_trials(study):
            if (claim := self.paths.claim(trial.number)) in existing and not is_locked(claim):
                claim.unlink(missing_ok=True)

    def worker_name(self, pid: int) -> str:
        """Return the name of a process of this machine."""
        return str(pid)

    def let_go(self, workers: Collection[str] = (), loss: Loss | None = None) -> None:
        """Record in all claims that their workers stop because of the parent process, not because of their trials.

        A worker that has crashed needs nothing: its lock is gone.
        """
        if loss:
            return
        for claim in self.paths.trial_claims():
            # Opened without creating it: the trial may just have been released.
            with contextlib.suppress(OSError), claim.open("r+") as file:
                file.write(PARENT_DIED)

    def _ask(self, study: Study) -> Claim:
        trial = study.ask()
        file = try_lock(self.paths.claim(trial.number))
        assert file is not None, "no other worker can hold a trial that did not exist"
        return self._claim(trial, file, None)

    def _claim(self, trial: Trial, file: IO[str], loss: Loss | None) -> Claim:
        def release() -> None:
            with wait_for_lock(self.paths.claiming_lock), file:
                self.paths.claim(trial.number).unlink(missing_ok=True)

        return Claim(trial, loss, release)


def parent_died(claim: Path) -> bool:
    """Return True if this claim, which was left behind, is marked by `let_go`."""
    return claim.read_text() in (PARENT_DIED, _FIRST_PARENT_DIED)


def _has_waiting(study: Study) -> bool:
    return any(trial.state == TrialState.WAITING for trial in study.get_trials(deepcopy=False))
