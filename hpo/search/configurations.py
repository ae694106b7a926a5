"""Groups of trials: all trials that train one configuration, each from the checkpoint of the one before, and the trials
that confirm it with new seeds. The groups follow from attributes that trials have from the moment they are enqueued.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from statistics import mean

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.optunahub.samplers.learning_curves.configurations import Configuration as TrainedConfiguration

# Attribute of a trial: the number of the trial whose hyperparameters it trains with a new seed.
CONFIRMS = "confirms"
# Attribute of a trial that continues another one without its checkpoint, and so trained all of it again.
RESTARTED = "begun_anew"
# Attribute of an ended trial: how it ended, in one phrase.
END = "end"
# `end` of a trial that the dashboard or another program has ended.
ENDED_OUTSIDE = "failed: ended from outside"
# Name of the constraint that samplers see: violated by a trial that diverged or ran out of memory.
CONSTRAINT = "finite"


@dataclass
class Configuration(TrainedConfiguration):
    """A configuration of one of our studies: its trials tell how they ended, and further ones confirm it."""

    confirmations: list[FrozenTrial] = field(default_factory=list)

    @property
    def all_trials(self) -> list[FrozenTrial]:
        """All trials that belong to the configuration."""
        return [*self.trials, *self.confirmations]

    @property
    def is_paused(self) -> bool:
        """True if the pruner stopped it; then another trial can continue it."""
        return is_pruned(end_of(self.last_trial))

    @property
    def value(self) -> float | None:
        """val_bpd after the full training length; None before."""
        return val_bpd_of(self.last_trial) if end_of(self.last_trial) == "finished" else None

    @property
    def n_confirmations(self) -> int:
        """Number of the new seeds, without those that ended at a length that trials no longer have."""
        return sum(not is_pruned(end_of(trial)) for trial in self.confirmations)

    @property
    def confirmation_scores(self) -> tuple[float, ...]:
        """val_bpd with each new seed whose training has finished."""
        finished = [trial for trial in self.confirmations if end_of(trial) == "finished"]
        return tuple(score for trial in finished if (score := val_bpd_of(trial)) is not None)

    @property
    def score(self) -> float:
        """The mean over the new seeds, if there are any, else `value`; infinite before the full training length."""
        if self.confirmation_mean is not None:
            return self.confirmation_mean
        return inf if self.value is None else self.value

    @property
    def confirmation_mean(self) -> float | None:
        """Mean over the new seeds alone: the score with the first seed is biased, since it decided the choice."""
        return mean(self.confirmation_scores) if self.confirmation_scores else None


def val_bpd_of(trial: FrozenTrial) -> float | None:
    """Return the first objective value of a trial; None if it has no values."""
    return trial.values[0] if trial.values else None


def group_trials(trials: Iterable[FrozenTrial], sign: int = 1) -> list[Configuration]:
    """Group all trials of a study by configuration, in the order of the configurations' first trials."""
    by_trial: dict[int, Configuration] = {}
    found: list[Configuration] = []
    for trial in trials:
        if (continued := trial.user_attrs.get(CONTINUES)) is not None:
            by_trial[trial.number] = by_trial[continued]
            by_trial[continued].trials.append(trial)
        elif (confirmed := trial.user_attrs.get(CONFIRMS)) is not None:
            by_trial[confirmed].confirmations.append(trial)
        else:
            by_trial[trial.number] = Configuration([trial], sign)
            found.append(by_trial[trial.number])
    return found


def configurations_of(study: Study) -> list[Configuration]:
    """Return the configurations of a study at this moment."""
    return group_trials(study.get_trials(deepcopy=False))


def is_first(trial: FrozenTrial) -> bool:
    """Return True if this is the first trial of a configuration."""
    return CONTINUES not in trial.user_attrs and CONFIRMS not in trial.user_attrs


def is_started(trial: FrozenTrial) -> bool:
    """Return True if this is the first trial of a configuration and no longer waits."""
    return is_first(trial) and trial.state != TrialState.WAITING


def end_of(trial: FrozenTrial) -> str:
    """Return a trial's `end` attribute; `running` before its end, ENDED_OUTSIDE if another program has ended it."""
    if not trial.state.is_finished():
        return "running"
    return str(trial.user_attrs.get(END, ENDED_OUTSIDE))


def is_pruned(end: str) -> bool:
    """Return True if an `end` attribute is that of a pruned trial."""
    return end.startswith("pruned")


def ended_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that have ended: finished, pruned or failed."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def running_trials(trials: Iterable[FrozenTrial]) -> dict[int, FrozenTrial]:
    """Return the trials that have started and not ended, by number."""
    return {trial.number: trial for trial in trials if trial.state == TrialState.RUNNING}
