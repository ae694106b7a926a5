"""Pruners of a study, and the text that tells why a trial was pruned."""

from collections.abc import Sequence
from statistics import median

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.config.schema import Pruner, Training
from hpo.optuna_logging import in_memory_study
from hpo.search.configurations import CONFIRMS, Configuration, configurations_of
from hpo.search.successive_halving import Halving, candidates_of, halving_of


class HalvingPruner(optuna.pruners.BasePruner):
    """Pruner that pauses a trial at a rung that it does not pass. Another trial can continue a paused one."""

    def __init__(self, halving: Halving) -> None:
        self.halving = halving

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return True if the trial pauses at its last report point.

        False at the rung that it was promoted from, whatever other trials have scored since.
        """
        if trial.last_step not in self.halving.rungs:
            return False
        configurations = configurations_of(study)
        configuration = _with_last_trial(configurations, trial.number)
        if len(configuration.trials) > 1 and trial.last_step in configuration.trials[-2].intermediate_values:
            return False
        candidates = candidates_of(configurations, study.sampler)
        return not self.halving.passes(configuration.number, trial.last_step, candidates)

    def reason(self, study: Study, trial_number: int, rung: int) -> str:
        """Return the text that tells why a trial pauses at a rung."""
        configurations = configurations_of(study)
        number = _with_last_trial(configurations, trial_number).number
        return self.halving.describe_rank(number, rung, candidates_of(configurations, study.sampler))


def pruning_reason(study: Study, number: int, epoch: float, scores: list[float]) -> str:
    """Return the `end` attribute of a trial that the pruner stops after these scores, with what it was compared with.

    The median pruner compares a trial's best score so far with the finished trials' scores at the same report point.
    """
    if isinstance(study.pruner, HalvingPruner):
        return f"pruned at epoch {epoch:g}: {scores[-1]:.4f}, {study.pruner.reason(study, number, len(scores))}"
    finished = [trial.intermediate_values.get(len(scores)) for trial in _finished_search(study)]
    threshold = median([score for score in finished if score is not None])
    return f"pruned at epoch {epoch:g}: {min(scores):.4f} against the median {threshold:.4f}"


def decides_at(pruner: optuna.pruners.BasePruner, step: int) -> bool:
    """Return False if a pruner lets every trial go on after report `step`, so that nobody need ask it."""
    if isinstance(pruner, HalvingPruner):
        return step in pruner.halving.rungs
    return not isinstance(pruner, optuna.pruners.NopPruner)


def make_pruner(pruner: Pruner, training: Training) -> optuna.pruners.BasePruner:
    """Create the pruner that a study's file names; its steps are the report points 1, 2, ..."""
    if halving := halving_of(pruner, training):
        return HalvingPruner(halving)
    if pruner.name == "none":
        return optuna.pruners.NopPruner()
    n_warmup = round(pruner.first_epoch(training.n_epochs) / training.report_every)
    return SearchMedianPruner(n_startup_trials=pruner.startup_trials, n_warmup_steps=n_warmup)


class SearchMedianPruner(optuna.pruners.MedianPruner):
    """Median pruner without the trials that confirm the best configurations: these would lower the median."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return True if the trial is worse than the median of the search's finished trials."""
        view = in_memory_study()
        view.add_trials(_finished_search(study))
        return super().prune(view, trial)


def _with_last_trial(configurations: Sequence[Configuration], trial_number: int) -> Configuration:
    (configuration,) = (
        configuration for configuration in configurations if configuration.last_trial.number == trial_number
    )
    return configuration


def _finished_search(study: Study) -> list[FrozenTrial]:
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in finished if CONFIRMS not in trial.user_attrs]
