"""A study's sampler and pruner, and what a resume may not change."""

import contextlib
import warnings
from typing import Any

import optuna
from optuna.study import Study, StudyDirection

from hpo.config.schema import StudyConfig
from hpo.config.search_space import tutorial_values
from hpo.search.configurations import configurations_of
from hpo.search.pruners import make_pruner
from hpo.search.samplers import make_sampler
from hpo.search.warm_start import warm_start_of
from hpo.storage.database import make_database, storage
from hpo.storage.paths import StudyPaths


def silence_optuna() -> None:
    """Keep what Optuna says of itself out of a worker's output."""
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def create_study(config: StudyConfig, paths: StudyPaths, attributes: dict[str, Any]) -> Study:
    """Begin a study where `existing_study` finds none, with facts as attributes.

    The last of them is to be its identity: a study without one was killed while it was made, and is made again.

    Raises: StudyError: the folder cannot be written.
    """
    paths.folder.mkdir(parents=True, exist_ok=True)
    make_database(paths.database)
    directions = [StudyDirection.MINIMIZE] * len(config.objectives)
    where = storage(paths)
    with contextlib.suppress(KeyError):
        # Half begun by a call that was killed, perhaps for other objectives.
        assert not optuna.load_study(study_name=config.name, storage=where).get_trials(deepcopy=False), "it has trials"
        optuna.delete_study(study_name=config.name, storage=where)
    study = optuna.create_study(study_name=config.name, storage=where, directions=directions)
    study.set_metric_names(list(config.objectives))
    for name, value in attributes.items():
        study.set_user_attr(name, value)
    return study


def attach_sampler_and_pruner(study: Study, config: StudyConfig, n_total: int | None = None) -> None:
    """Give a study its sampler, its pruner and, as its first trials, the tutorial's values and another study's best.

    No more of them than the `n_total` configurations that there may be.
    """
    given = warm_start_of(study)
    study.sampler = make_sampler(study, config)
    study.pruner = make_pruner(config.pruner, config.training)
    tutorial = tutorial_values(config.hyperparameters)
    best = [values for values in given.best if values != tutorial] if given else []
    first = [*([tutorial] if tutorial else []), *best]
    # A kill may have come between two of them.
    for values in first[len(configurations_of(study)) : n_total]:
        study.enqueue_trial(values)
