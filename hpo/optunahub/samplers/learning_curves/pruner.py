"""Optuna pruner that pauses trials at rungs."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial

from .configurations import CONTINUES, NEVER_PRUNED, Configuration, GroupTrials, configurations_of, group_trials
from .successive_halving import Candidate, Halving, candidates_of


class PausingPruner(BasePruner):
    """Pruner that pauses a trial at a rung that it does not pass, by asynchronous successive halving (ASHA).

    Of all configurations that have come to a rung, the best 1 in `reduction_factor` continue: the best are those with
    the best final scores that the study's sampler predicts, with another sampler than `LearningCurveSampler` those with
    the best scores at the rung. A paused trial can be continued by another one, see `enqueue_promotion`.
    """

    def __init__(
        self,
        n_steps: int,
        *,
        first_rung: int = 1,
        rung_spacing: int = 2,
        reduction_factor: int = 3,
        group: GroupTrials = group_trials,
    ) -> None:
        """Create a pruner with rungs at r, r s, r s^2, ... < `n_steps`, with r = `first_rung` and s = `rung_spacing`.

        Args:
            n_steps: steps of a full training: trials report at steps 1, 2, ..., `n_steps`.
            first_rung: the first step at which a trial may pause.
            rung_spacing: factor from a rung to the next.
            reduction_factor: one in so many configurations passes a rung.
            group: function that tells which trials train one configuration.

        Raises: ValueError: a number that is too small.
        """
        for name, number, least in (
            ("n_steps", n_steps, 1),
            ("first_rung", first_rung, 1),
            ("rung_spacing", rung_spacing, 2),
            ("reduction_factor", reduction_factor, 2),
        ):
            if number < least:
                raise ValueError(f"`{name}` must be at least {least}, but got {number}.")
        self.halving = Halving.of(first_rung, rung_spacing, reduction_factor, n_steps)
        self._group = group

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return True if the trial pauses at its last reported step.

        False at the rung that it was promoted from, whatever other trials have scored since.

        Raises: ValueError: a step below 1.
        """
        step = trial.last_step
        if step is not None and step < 1:
            raise ValueError(f"Steps must be reported as 1, 2, ..., but got {step}.")
        if step not in self.halving.rungs or trial.user_attrs.get(NEVER_PRUNED):
            return False
        configurations = self.configurations_of(study)
        configuration = containing_trial(configurations, trial.number)
        continued = [other for other in configuration.trials if other.number == trial.user_attrs.get(CONTINUES)]
        if continued and step in continued[0].intermediate_values:
            return False
        # A score that is not finite has no rank.
        return step not in configuration.scores or not self.halving.passes(
            configuration.number, step, candidates_of(configurations, study.sampler)
        )

    def candidates_of(self, study: Study) -> list[Candidate]:
        """Return a study's configurations as successive halving sees them."""
        return candidates_of(self.configurations_of(study), study.sampler)

    def configurations_of(self, study: Study) -> Sequence[Configuration]:
        """Return the configurations of a study at this moment."""
        return configurations_of(study, self._group)


def containing_trial(configurations: Sequence[Configuration], trial_number: int) -> Configuration:
    """Return the configuration that a trial trains. Two processes may have continued the same trial at once."""
    (configuration,) = (
        configuration
        for configuration in configurations
        if any(trial.number == trial_number for trial in configuration.trials)
    )
    return configuration
