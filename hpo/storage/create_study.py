"""Creating a study in its database, and giving it a sampler, a pruner and its first trials."""

from typing import Any

from optuna.study import Study, StudyDirection

from hpo.config.schema import StudyConfig
from hpo.config.search_space import tutorial_values, untuned_values
from hpo.optunahub.samplers.learning_curves.configurations import NEVER_PRUNED
from hpo.search.configurations import configurations_of
from hpo.search.pruners import make_pruner
from hpo.search.samplers import make_sampler
from hpo.search.warm_start import warm_start_of
from hpo.storage.backend import backend_of
from hpo.storage.paths import StudyPaths
from hpo.storage.tables.study_fits import StudyFits


def create_study(config: StudyConfig, paths: StudyPaths, attributes: dict[str, Any]) -> Study:
    """Create a study that does not exist, with user attributes, the last one the fingerprint.

    Raises: StudyError: the database cannot be written.
    """
    directions = [StudyDirection.MINIMIZE] * len(config.objectives)
    return backend_of(paths).database.create_study(config.name, directions, config.objectives, attributes)


def attach_sampler_and_pruner(study: Study, config: StudyConfig, n_total: int | None = None) -> None:
    """Give a study its sampler, its pruner and its first trials.

    These have the tutorial's values, and then those of a warm start, or without one those that are good untuned, each
    once; they are at most the `n_total` configurations that the study may have. The untuned ones are trained to the
    end: no search then ends with worse ones, and predictions have a whole curve early.
    """
    warm_start = warm_start_of(study)
    study.sampler = make_sampler(study, config, StudyFits(study))
    study.pruner = make_pruner(config.pruner, config.training)
    untuned = untuned_values(config)
    known = [tutorial_values(config.hyperparameters), *(warm_start.best if warm_start else [untuned])]
    first = [values for number, values in enumerate(known) if values and values not in known[:number]]
    # A process may have been killed after it had enqueued some of them.
    for values in first[len(configurations_of(study)) : n_total]:
        study.enqueue_trial(values, user_attrs={NEVER_PRUNED: True} if values == untuned and not warm_start else {})
