"""What the page of a study tells, as data: from its database, its yardstick and its retrained model's numbers."""

from dataclasses import dataclass

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import Study, create_study

from hpo.search.configurations import as_single_trial, configurations_of

# Importances compare the distribution of the best trials with that of all: five make one, ten two that differ.
_MIN_TOP, _MIN_FINISHED = 5, 10


@dataclass(frozen=True)
class Importances:
    """Each hyperparameter's share in what sets the best `n_top` of `n_finished` trials apart."""

    shares: dict[str, float]
    n_top: int
    n_finished: int


def find_importances(study: Study, n_finished: int) -> Importances | None:
    """PED-ANOVA (Watanabe et al. 2023) of the best trials, five or a tenth; None where too few have finished.

    Trials that were pruned have no value at full length, and Optuna leaves them out.
    """
    if n_finished < _MIN_FINISHED:
        return None
    n_top = max(_MIN_TOP, n_finished // 10)
    # It takes as many trials as this share of them, rounded up.
    evaluator = PedAnovaImportanceEvaluator(target_quantile=(n_top - 0.5) / n_finished)
    # Each configuration once, whatever continued and confirmed it, and by its score alone.
    view = create_study()
    for one in configurations_of(study):
        if one.value is not None:
            trial = as_single_trial(one)
            trial.values = [one.value]
            view.add_trial(trial)
    shares = get_param_importances(view, evaluator=evaluator)
    return Importances(shares, n_top, n_finished) if len(shares) > 1 else None
