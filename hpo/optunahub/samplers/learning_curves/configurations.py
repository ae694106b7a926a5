"""Configurations: a choice of hyperparameters, and all trials that train it, each from where the one before stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

# User attribute of a trial: the number of the trial that it continues.
CONTINUES = "continues"
# User attribute of a trial that no pruner may stop.
NEVER_PRUNED = "unstopped"
# A configuration of which more continuations have failed is not continued any more.
_MAX_FAILURES = 2


@dataclass
class Configuration:
    """A choice of hyperparameters, and the trials that train it, in their order.

    `sign` is -1 in a study that maximises: the scores of a configuration are always minimised. A report at step 0 does
    not count.
    """

    trials: list[FrozenTrial]
    sign: int = 1

    @property
    def number(self) -> int:
        """Number of the first trial."""
        return self.trials[0].number

    @property
    def params(self) -> dict[str, Any]:
        """Values of the hyperparameters, from the first trial: a waiting one has no values yet."""
        return self.trials[0].params

    @property
    def last_trial(self) -> FrozenTrial:
        """The trial that has been trained furthest."""
        return self.trials[-1]

    @property
    def all_trials(self) -> list[FrozenTrial]:
        """All trials that belong to the configuration."""
        return self.trials

    @property
    def scores(self) -> dict[int, float]:
        """Learning curve: finite scores by step. A trial that continues another starts with that one's reports.

        A finished trial without reports has its value at step 1.
        """
        scores: dict[int, float] = {}
        for trial in self.trials:
            scores.update(trial.intermediate_values)
        if not scores and self.value is not None:
            return {1: self.value}
        if self.sign == 1 and 0 not in scores and all(map(isfinite, scores.values())):
            # Of a large study, a decision asks for thousands.
            return scores
        return {step: self.sign * score for step, score in scores.items() if step > 0 and isfinite(score)}

    @property
    def has_reports(self) -> bool:
        """True if a trial has reported a score; otherwise a finished one has its value alone."""
        return any(trial.intermediate_values for trial in self.trials)

    @property
    def is_paused(self) -> bool:
        """True if the pruner stopped it; then another trial can continue it."""
        return self.last_trial.state == TrialState.PRUNED and not self.is_infeasible

    @property
    def is_infeasible(self) -> bool:
        """True if its last report is not finite, or its last trial violates a constraint.

        Constraints of a failed trial do not count, since the cause may be fixed by now.
        """
        reports = self.last_trial.intermediate_values
        has_diverged = bool(reports) and not isfinite(reports[max(reports)])
        has_failed = self.last_trial.state == TrialState.FAIL
        return has_diverged or (not has_failed and any(bound > 0 for bound in self.last_trial.constraints.values()))

    @property
    def is_running(self) -> bool:
        """True while its last trial is being trained or waits to be."""
        return not self.last_trial.state.is_finished()

    @property
    def value(self) -> float | None:
        """Score after the full training length; None before."""
        values = self.last_trial.values
        return self.sign * values[0] if self.last_trial.state == TrialState.COMPLETE and values else None


class GroupTrials(Protocol):
    """Function that groups the trials of a study by configuration."""

    def __call__(self, trials: Iterable[FrozenTrial], sign: int = 1) -> Sequence[Configuration]:
        """Return the configurations in the order of their first trials."""


def group_trials(trials: Iterable[FrozenTrial], sign: int = 1) -> list[Configuration]:
    """Group all trials of a study by configuration, in the order of the configurations' first trials.

    A trial that continues one that is missing, or one of other values, as after copying trials from study to study, is
    a configuration of its own.
    """
    by_trial: dict[int, Configuration] = {}
    found: list[Configuration] = []
    n_failed: Counter[int] = Counter()
    for trial in trials:
        configuration = by_trial.get(trial.user_attrs.get(CONTINUES, -1))
        if configuration is None or (trial.params and trial.params != configuration.params):
            by_trial[trial.number] = Configuration([trial], sign)
            found.append(by_trial[trial.number])
            continue
        by_trial[trial.number] = configuration
        n_failed[configuration.number] += trial.state == TrialState.FAIL
        # Without a failed continuation, the trial before it is still paused, and can be continued once more.
        if trial.state != TrialState.FAIL or n_failed[configuration.number] > _MAX_FAILURES:
            configuration.trials.append(trial)
    return found


def sign_of(study: Study) -> int:
    """Return the factor that makes a study's scores such as are minimised: 1, or -1 where they are maximised."""
    return -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1


def configurations_of(study: Study, group: GroupTrials = group_trials) -> Sequence[Configuration]:
    """Return the configurations of a study at this moment."""
    return group(study.get_trials(deepcopy=False), sign_of(study))


def as_single_trial(configuration: Configuration) -> FrozenTrial:
    """Merge the trials that trained one configuration into one trial, for samplers that know of no continuation."""
    last = configuration.last_trial
    state = TrialState.RUNNING if last.state == TrialState.WAITING else last.state
    return create_trial(
        # It may have finished at a length that trials no longer have.
        state=TrialState.PRUNED if configuration.is_paused else state,
        values=last.values,
        params=configuration.params,
        distributions=configuration.trials[0].distributions,
        intermediate_values={step: configuration.sign * score for step, score in configuration.scores.items()},
        constraints=last.constraints,
    )
