"""Pruners of a study, and the text that tells why a trial was pruned."""

from statistics import median

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.config.schema import Pruner, Training
from hpo.optunahub.samplers.learning_curves.in_memory_studies import in_memory_study
from hpo.optunahub.samplers.learning_curves.pruner import PausingPruner, containing_trial
from hpo.optunahub.samplers.learning_curves.successive_halving import Halving
from hpo.search.configurations import CONFIRMS, group_trials


class HalvingPruner(PausingPruner):
    """Pruner of our studies that pauses a trial at a rung that it does not pass, and can tell why."""

    def __init__(self, pruner: Pruner, training: Training) -> None:
        """Create the pruner that a study's file describes; its steps are the report points."""
        super().__init__(
            training.n_reports,
            first_rung=max(1, round(pruner.first_epoch(training.n_epochs) / training.report_every)),
            rung_spacing=pruner.rung_spacing,
            reduction_factor=pruner.reduction_factor,
            group=group_trials,
        )

    def reason(self, study: Study, trial_number: int, rung: int) -> str:
        """Return the text that tells why a trial pauses at a rung."""
        number = containing_trial(self.configurations_of(study), trial_number).number
        return self.halving.describe_rank(number, rung, self.candidates_of(study))


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
    if pruner.name == "halving":
        return HalvingPruner(pruner, training)
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


def _finished_search(study: Study) -> list[FrozenTrial]:
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in finished if CONFIRMS not in trial.user_attrs]


def halving_of(pruner: Pruner, training: Training) -> Halving | None:
    """Return a study's rungs; None if it uses another pruner."""
    return HalvingPruner(pruner, training).halving if pruner.name == "halving" else None
