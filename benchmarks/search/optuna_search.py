"""Optuna's own loop as a search: ask, report, prune, tell."""

from dataclasses import dataclass

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import Trial, TrialState

from benchmarks.search.protocol import Job, Space, Values
from benchmarks.search.table import N_EPOCHS


class Best:
    """The best last-epoch score among full-length runs, as observed."""

    def __init__(self) -> None:
        self.val_bpd = float("inf")
        self.values: Values | None = None

    def hear(self, values: Values, val_bpd: float) -> None:
        """Note a full-length run."""
        if val_bpd < self.val_bpd:
            self.val_bpd, self.values = val_bpd, values


@dataclass(frozen=True)
class Asked:
    """A study in memory and its trials that run."""

    study: Study
    trials: dict[int, Trial]
    space: Space

    @classmethod
    def new(cls, space: Space, sampler: BaseSampler, pruner: BasePruner | None = None) -> "Asked":
        """Without a pruner: nothing is ever pruned."""
        study = optuna.create_study(sampler=sampler, pruner=pruner or optuna.pruners.NopPruner())
        return cls(study, {}, space)

    def ask(self) -> Job:
        """A new trial, its number the key."""
        trial = self.study.ask(self.space)
        self.trials[trial.number] = trial
        return Job(trial.number, trial.params)

    def complete(self, job: Job, val_bpd: float) -> None:
        """End a trial with its score."""
        self.study.tell(self.trials.pop(job.key), val_bpd)

    def prune(self, job: Job) -> None:
        """End a trial as pruned: Optuna takes its last report."""
        self.study.tell(self.trials.pop(job.key), state=TrialState.PRUNED)


class OptunaSearch:
    """A sampler and a pruner as `study.optimize` puts them together."""

    def __init__(self, space: Space, sampler: BaseSampler, pruner: BasePruner | None = None) -> None:
        self._asked, self._best = Asked.new(space, sampler, pruner), Best()

    def next(self) -> Job | None:
        """A new trial, always."""
        return self._asked.ask()

    def begin_with(self, values: Values) -> None:
        """Train these values next."""
        self._asked.study.enqueue_trial(values)

    def report(self, job: Job, epoch: int, val_bpd: float) -> bool:
        """Report, and ask the pruner after every epoch but the last."""
        trial = self._asked.trials[job.key]
        trial.report(val_bpd, epoch)
        if epoch == N_EPOCHS:
            self._asked.complete(job, val_bpd)
            self._best.hear(job.values, val_bpd)
        elif trial.should_prune():
            self._asked.prune(job)
            return True
        return False

    def incumbent(self) -> Values | None:
        """The best full-length run's."""
        return self._best.values
