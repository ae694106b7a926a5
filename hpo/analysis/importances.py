"""Importances of a study's hyperparameters."""

from dataclasses import dataclass

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import Study

from hpo.optunahub.samplers.learning_curves.configurations import as_single_trial
from hpo.optunahub.samplers.learning_curves.in_memory_studies import in_memory_study
from hpo.search.configurations import configurations_of

# Importances compare the distribution of the best trials with that of all trials. Five trials make a distribution, ten
# make two that differ.
_MIN_TOP, _MIN_FINISHED = 5, 10


@dataclass(frozen=True)
class Importances:
    """Share of each hyperparameter in the difference between the best `n_top` and all `n_finished` trials."""

    shares: dict[str, float]
    n_top: int
    n_finished: int


def find_importances(study: Study, n_finished: int) -> Importances | None:
    """Compute PED-ANOVA (Watanabe et al. 2023) of the best trials, a tenth but at least five.

    Pruned trials have no score of a full training, and are left out.

    Returns: None if fewer than ten trials have finished, or only one hyperparameter is searched.
    """
    if n_finished < _MIN_FINISHED:
        return None
    n_top = max(_MIN_TOP, n_finished // 10)
    # The evaluator takes this share of the trials, rounded up.
    evaluator = PedAnovaImportanceEvaluator(target_quantile=(n_top - 0.5) / n_finished)
    # Each configuration counts once, however many trials continued and confirmed it, and by val_bpd alone.
    view = in_memory_study()
    for configuration in configurations_of(study):
        if configuration.value is not None:
            trial = as_single_trial(configuration)
            trial.values = [configuration.value]
            view.add_trial(trial)
    shares = get_param_importances(view, evaluator=evaluator)
    return Importances(shares, n_top, n_finished) if len(shares) > 1 else None
