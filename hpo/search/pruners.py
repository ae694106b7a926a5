"""Asynchronous successive halving with promotion (Li et al. 2020): who pauses at a rung, and who goes on later."""

from statistics import median

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.config.schema import Pruner, Training
from hpo.search.configurations import CONFIRMS, configurations_of
from hpo.search.successive_halving import Halving, candidates_of, halving_of


class HalvingPruner(optuna.pruners.BasePruner):
    """Stops a trial at a rung that it does not pass. What was stopped can be continued by another trial."""

    def __init__(self, halving: Halving) -> None:
        self.halving = halving

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether it pauses here; not where it was promoted from, whatever the others have come to since."""
        if trial.last_step not in self.halving.rungs:
            return False
        known = configurations_of(study)
        (one,) = (one for one in known if one.last.number == trial.number)
        if len(one.trials) > 1 and trial.last_step in one.trials[-2].intermediate_values:
            return False
        return not self.halving.goes_on(one.number, trial.last_step, candidates_of(known, study.sampler))

    def verdict(self, study: Study, trial_number: int, rung: int) -> str:
        """Why a trial pauses at a rung, in words."""
        known = configurations_of(study)
        (one,) = (one for one in known if one.last.number == trial_number)
        courses = candidates_of(known, study.sampler)
        place, n_there = self.halving.rank(one.number, rung, courses)
        n_on = n_there // self.halving.factor
        (expected,) = (course.expected for course in courses if course.number == one.number)
        by = f"expected to end at {expected:.4f}: " if expected else ""
        return f"{by}place {place} of {n_there} at this rung, {n_on or 'none'} of which may go on so far"


def pruning_reason(study: Study, number: int, epoch: float, scores: list[float]) -> str:
    """The `end` attribute of a trial that the pruner stops after these scores, with what it was compared with.

    The median pruner holds a trial's best score so far against the finished trials' scores at the same report.
    """
    if isinstance(study.pruner, HalvingPruner):
        return f"pruned at epoch {epoch:g}: {scores[-1]:.4f}, {study.pruner.verdict(study, number, len(scores))}"
    others = [trial.intermediate_values.get(len(scores)) for trial in _finished_search(study)]
    bound = median([score for score in others if score is not None])
    return f"pruned at epoch {epoch:g}: {min(scores):.4f} against the median {bound:.4f}"


def make_pruner(pruner: Pruner, training: Training) -> optuna.pruners.BasePruner:
    """The pruner as configured; its steps are report points 1, 2, ..."""
    if halving := halving_of(pruner, training):
        return HalvingPruner(halving)
    if pruner.name == "none":
        return optuna.pruners.NopPruner()
    n_warmup = max(1, round(pruner.warmup_epochs / training.report_every))
    return SearchMedianPruner(n_startup_trials=pruner.startup_trials, n_warmup_steps=n_warmup)


class SearchMedianPruner(optuna.pruners.MedianPruner):
    """Compares with the trials of the search alone: those that confirm the best would raise the bar."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether it is worse than their median."""
        view = optuna.create_study(directions=study.directions)
        view.add_trials(_finished_search(study))
        return super().prune(view, trial)


def _finished_search(study: Study) -> list[FrozenTrial]:
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in finished if CONFIRMS not in trial.user_attrs]
