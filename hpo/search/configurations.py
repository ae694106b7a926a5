"""Groups of trials: all trials that train one configuration, each from the checkpoint of the one before, and the trials
that confirm it with new seeds. The groups follow from attributes that trials have from the moment they are enqueued.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from statistics import mean
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

# Attributes of a trial; the value is the number of the trial that it continues from its checkpoint, or whose
# hyperparameters it trains with a new seed.
CONTINUES, CONFIRMS = "continues", "confirms"
# Attribute of a trial that continues another one without its checkpoint, and so trained all of it again.
RESTARTED = "begun_anew"
# Attribute of a trial that no pruner may stop.
NEVER_PRUNED = "unstopped"
# Attribute of an ended trial: how it ended, in one phrase.
END = "end"
# `end` of a trial that the dashboard or another program has ended.
ENDED_OUTSIDE = "failed: ended from outside"
# Name of the constraint that samplers see: violated by a trial that diverged or ran out of memory.
CONSTRAINT = "finite"


@dataclass
class Configuration:
    """A choice of hyperparameters, the trials that train it in their order, and the trials that confirm it."""

    trials: list[FrozenTrial]
    confirmations: list[FrozenTrial] = field(default_factory=list)

    @property
    def number(self) -> int:
        """Number of the first trial, from which the seed follows."""
        return self.trials[0].number

    @property
    def params(self) -> dict[str, Any]:
        """Values of the searched hyperparameters, from the first trial: a waiting one has no values yet."""
        return self.trials[0].params

    @property
    def last_trial(self) -> FrozenTrial:
        """The trial that has been trained furthest."""
        return self.trials[-1]

    @property
    def scores(self) -> dict[int, float]:
        """Learning curve: val_bpd by report point. A trial that continues another starts with that one's reports."""
        scores: dict[int, float] = {}
        for trial in self.trials:
            scores.update(trial.intermediate_values)
        return scores

    @property
    def is_paused(self) -> bool:
        """True if the pruner stopped it; then another trial can continue it."""
        return is_pruned(end_of(self.last_trial))

    @property
    def is_infeasible(self) -> bool:
        """True if it diverged or ran out of memory; False if it failed, since the cause may be fixed by now."""
        has_failed = self.last_trial.state == TrialState.FAIL
        return not has_failed and any(violation > 0 for violation in self.last_trial.constraints.values())

    @property
    def is_running(self) -> bool:
        """True while its last trial is being trained or waits to be."""
        return not self.last_trial.state.is_finished()

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


def group_trials(trials: Iterable[FrozenTrial]) -> list[Configuration]:
    """Group all trials of a study by configuration, in the order of the configurations' first trials."""
    by_trial: dict[int, Configuration] = {}
    for trial in trials:
        if (continued := trial.user_attrs.get(CONTINUES)) is not None:
            by_trial[trial.number] = by_trial[continued]
            by_trial[continued].trials.append(trial)
        elif (confirmed := trial.user_attrs.get(CONFIRMS)) is not None:
            by_trial[confirmed].confirmations.append(trial)
        else:
            by_trial[trial.number] = Configuration([trial])
    return list({id(configuration): configuration for configuration in by_trial.values()}.values())


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


def as_single_trial(configuration: Configuration) -> FrozenTrial:
    """Merge the trials that trained one configuration into one trial, for samplers and importances."""
    last = configuration.last_trial
    state = TrialState.RUNNING if last.state == TrialState.WAITING else last.state
    return create_trial(
        # It may have finished at a length that trials no longer have.
        state=TrialState.PRUNED if configuration.is_paused else state,
        values=last.values,
        params=configuration.params,
        distributions=configuration.trials[0].distributions,
        intermediate_values=configuration.scores,
        constraints=last.constraints,
    )
