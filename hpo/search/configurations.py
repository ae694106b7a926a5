"""Which trials belong together: those that train one configuration, each going on from the one before, and those
that confirm it with new seeds. Told by attributes of the trials, which they have from the moment they are enqueued.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

# Of a trial that goes on from another's checkpoint, or trains another's values anew: that one's number.
CONTINUES, CONFIRMS = "continues", "confirms"
# Of a trial that continues another without its checkpoint, and so has trained all of it again.
RESTARTED = "begun_anew"
# Of a trial that no pruner may stop.
UNSTOPPED = "unstopped"
END = "end"
# Of a trial that the dashboard or another program has told to be over.
ENDED_OUTSIDE = "failed: ended from outside"


@dataclass
class Configuration:
    """One choice of hyperparameters and the trials it was given to, in their order."""

    trials: list[FrozenTrial]
    confirmations: list[FrozenTrial] = field(default_factory=list)

    @property
    def number(self) -> int:
        """Of its first trial, from which its seed follows."""
        return self.trials[0].number

    @property
    def params(self) -> dict[str, Any]:
        """Its searched values; a trial that waits to go on has none of its own yet."""
        return self.trials[0].params

    @property
    def last(self) -> FrozenTrial:
        """The trial that has come furthest."""
        return self.trials[-1]

    @property
    def scores(self) -> dict[int, float]:
        """val_bpd by report point; a trial repeats what the one before it reported, once it has begun."""
        return {step: score for trial in self.trials for step, score in trial.intermediate_values.items()}

    @property
    def is_paused(self) -> bool:
        """Whether it was stopped for its score alone, and so can go on."""
        return is_pruned(end_of(self.last))

    @property
    def is_infeasible(self) -> bool:
        """Whether it diverged or ran out of memory; not where it failed, of which the cause may be mended by now."""
        has_failed = self.last.state == TrialState.FAIL
        return not has_failed and any(violation > 0 for violation in self.last.constraints.values())

    @property
    def is_under_way(self) -> bool:
        """Whether it is being trained, or is about to be."""
        return not self.last.state.is_finished()

    @property
    def value(self) -> float | None:
        """val_bpd after its whole length; None where it has not come so far."""
        return val_bpd_of(self.last) if end_of(self.last) == "finished" else None

    @property
    def confirmed(self) -> tuple[float, ...]:
        """val_bpd with each new seed that has come to its end."""
        ended = [trial for trial in self.confirmations if end_of(trial) == "finished"]
        return tuple(score for trial in ended if (score := val_bpd_of(trial)) is not None)

    @property
    def confirmed_mean(self) -> float | None:
        """Over new seeds alone: with the seed that it was chosen by it was lucky."""
        return mean(self.confirmed) if self.confirmed else None


def val_bpd_of(trial: FrozenTrial) -> float | None:
    """The first of what a trial was told over with; None where that is nothing."""
    return trial.values[0] if trial.values else None


def configurations(trials: Iterable[FrozenTrial]) -> list[Configuration]:
    """All of a study's trials, grouped, in the order of their first ones."""
    by_trial: dict[int, Configuration] = {}
    for trial in trials:
        if (before := trial.user_attrs.get(CONTINUES)) is not None:
            by_trial[trial.number] = by_trial[before]
            by_trial[before].trials.append(trial)
        elif (confirmed := trial.user_attrs.get(CONFIRMS)) is not None:
            by_trial[confirmed].confirmations.append(trial)
        else:
            by_trial[trial.number] = Configuration([trial])
    return list({id(one): one for one in by_trial.values()}.values())


def configurations_of(study: Study) -> list[Configuration]:
    """Those of a study as it stands."""
    return configurations(study.get_trials(deepcopy=False))


def is_first(trial: FrozenTrial) -> bool:
    """Whether a configuration begins with this trial."""
    return CONTINUES not in trial.user_attrs and CONFIRMS not in trial.user_attrs


def is_started(trial: FrozenTrial) -> bool:
    """Whether a configuration has begun with this trial, and not merely waits for it."""
    return is_first(trial) and trial.state != TrialState.WAITING


def end_of(trial: FrozenTrial) -> str:
    """A trial's `end` attribute, `running` while there is more to come; by its state where others have ended it."""
    if not trial.state.is_finished():
        return "running"
    return str(trial.user_attrs.get(END, ENDED_OUTSIDE))


def is_pruned(end: str) -> bool:
    """Whether a trial's `end` attribute tells of the pruner, not of a fault."""
    return end.startswith("pruned")


CONSTRAINT = "finite"


def finished_trials(study: Study) -> list[FrozenTrial]:
    """Trials that are over, for better or worse."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def as_single_trial(configuration: Configuration) -> FrozenTrial:
    """Merge the trials that trained one configuration into one trial, for samplers and importances."""
    last = configuration.last
    return create_trial(
        state=TrialState.RUNNING if last.state == TrialState.WAITING else last.state,
        values=last.values,
        params=configuration.params,
        distributions=configuration.trials[0].distributions,
        intermediate_values=configuration.scores,
        constraints=last.constraints,
    )
