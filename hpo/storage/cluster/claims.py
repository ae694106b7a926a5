"""Claims of workers on trials of a study that machines share: leases in the database."""

import contextlib
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

from hpo.search.configurations import running_trials
from hpo.search.scheduler import Step
from hpo.storage.cluster.fenced_storage import FencedStorage
from hpo.storage.cluster.leases import worker_name
from hpo.storage.interface import Claim, Loss


@dataclass(frozen=True)
class ClusterClaims:
    """Claims of this process."""

    storage: FencedStorage

    def take_interrupted(self, study: Study) -> Claim | None:
        """Claim the first running trial whose lease has expired, or that its worker has let go of."""
        taken = self.storage.take_over(study._study_id)
        return self._claim(study, *taken) if taken else None

    def take_waiting(self, study: Study) -> Claim | None:
        """Claim the first trial that waits; None if none does."""
        taken = self.storage.take_waiting(study._study_id)
        return self._claim(study, *taken) if taken else None

    def begin(self, study: Study, step: Step, limit: float) -> Claim | None:
        """Begin the trial of a step; None if a trial waits, or if there are `limit` trials like it by now."""
        begun = self.storage.begin(study._study_id, step, limit)
        return self._claim(study, *begun) if begun else None

    def deciding(self, study: Study) -> AbstractContextManager[None]:
        """Let no other process of ours add trials while the block runs."""
        return self.storage.deciding(study._study_id)

    def held(self, study: Study, trials: Collection[FrozenTrial]) -> set[int]:
        """Return the numbers of those of these trials that a live worker holds."""
        ids = self.storage.held([trial._trial_id for trial in trials]) if trials else set()
        return {trial.number for trial in trials if trial._trial_id in ids}

    def state_of(self, study: Study) -> object:
        """Return a value that changes when there may be something new to do."""
        return self.storage.state_of(study._study_id)

    def tuning(self) -> AbstractContextManager[None]:
        """Hold nothing: calls on many machines may search at once."""
        return contextlib.nullcontext()

    def is_tuned(self, study: Study) -> bool:
        """Return True while a live worker holds a trial."""
        return bool(self.held(study, list(running_trials(study.get_trials(deepcopy=False)).values())))

    def clean(self, study: Study) -> None:
        """Do nothing: a lease on an ended trial hinders nobody."""

    def worker_name(self, pid: int) -> str:
        """Return the name by which leases know a process of this machine."""
        return worker_name(pid)

    def let_go(self, workers: Collection[str] = (), loss: Loss | None = None) -> None:
        """Let go of the leases of this process, or of workers that have ended."""
        with contextlib.suppress(SQLAlchemyError):
            self.storage.keeper.let_go(workers, loss)

    def _claim(self, study: Study, trial_id: int, token: int, loss: Loss | None = None) -> Claim:
        keeper = self.storage.keeper
        keeper.keep(trial_id, token)

        def release() -> None:
            # If the database cannot be reached, the lease expires.
            with contextlib.suppress(SQLAlchemyError):
                keeper.drop(trial_id)

        self.storage.learn(study, trial_id)
        return Claim(optuna.trial.Trial(study, trial_id), loss, release)
