"""Creating a study in its database, and giving it a sampler, a pruner and its first trials."""

import contextlib
from typing import Any

import optuna
from optuna.study import Study, StudyDirection

from hpo.config.schema import StudyConfig
from hpo.config.search_space import tutorial_values, untuned_values
from hpo.optuna_logging import quiet_optuna
from hpo.search.configurations import configurations_of
from hpo.search.pruners import make_pruner
from hpo.search.samplers import make_sampler
from hpo.search.warm_start import warm_start_of
from hpo.storage.database import create_database, open_storage
from hpo.storage.paths import StudyPaths


def create_study(config: StudyConfig, paths: StudyPaths, attributes: dict[str, Any]) -> Study:
    """Create a study that `existing_study` does not find, with user attributes.

    The last attribute must be the fingerprint: a study without it was killed while it was created, and is replaced.

    Raises: StudyError: the folder cannot be written.
    """
    paths.folder.mkdir(parents=True, exist_ok=True)
    create_database(paths.database)
    directions = [StudyDirection.MINIMIZE] * len(config.objectives)
    storage = open_storage(paths)
    with contextlib.suppress(KeyError):
        # The remains of a creation that was killed, perhaps with other objectives.
        assert not optuna.load_study(study_name=config.name, storage=storage).get_trials(deepcopy=False), (
            "it has trials"
        )
        optuna.delete_study(study_name=config.name, storage=storage)
    study = optuna.create_study(study_name=config.name, storage=storage, directions=directions)
    with quiet_optuna():
        study.set_metric_names(list(config.objectives))
    for name, value in attributes.items():
        study.set_user_attr(name, value)
    return study


def attach_sampler_and_pruner(study: Study, config: StudyConfig, n_total: int | None = None) -> None:
    """Give a study its sampler, its pruner and its first trials.

    These have the tutorial's values, and then those of a warm start, or without one those that are good untuned, each
    once; they are at most the `n_total` configurations that the study may have.
    """
    warm_start = warm_start_of(study)
    study.sampler = make_sampler(study, config)
    study.pruner = make_pruner(config.pruner, config.training)
    known = [tutorial_values(config.hyperparameters), *(warm_start.best if warm_start else [untuned_values(config)])]
    first = [values for number, values in enumerate(known) if values and values not in known[:number]]
    # A process may have been killed after it had enqueued some of them.
    for values in first[len(configurations_of(study)) : n_total]:
        study.enqueue_trial(values)
