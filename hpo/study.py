"""A study's sampler and pruner, and what a resume may not change."""

import contextlib
import json
import warnings
from statistics import median
from typing import Any

import optuna
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpo.config import Model, Pruner, StudyConfig, Training
from hpo.configurations import CONFIRMS, configurations_of
from hpo.database import StudyError, make_database, storage
from hpo.entries import Hyperparameters
from hpo.halving import HalvingPruner, halving_of
from hpo.paths import StudyPaths
from hpo.sampler import ConfigurationSampler
from hpo.search_space import distributions, tutorial_values
from hpo.warm_start import warm_start_of
from model.config import FIRST_VALUES, TrainConfig
from model.data import ImageData

MAX_STARTUP_TRIALS = 10
CONSTRAINT = "finite"


def quieten() -> None:
    """Keep what Optuna says of itself out of a worker's output."""
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def identity(config: StudyConfig, data: ImageData) -> dict[str, str]:
    """What makes trials comparable and a resume go on as one run would have: JSON text by dotted key."""
    return {
        "data.source": json.dumps(data.source),
        "data.digest": json.dumps(data.digest[:16]),
        **settings_identity(config),
    }


def settings_identity(config: StudyConfig) -> dict[str, str]:
    """The part of a study's identity that its file alone tells."""
    return {
        "seed": json.dumps(config.seed),
        "objectives": json.dumps(config.objectives),
        "model": config.model.model_dump_json(),
        "training.epochs": json.dumps(config.training.epochs),
        "training.report_every": json.dumps(config.training.report_every),
        **{
            f"hyperparameters.{name}": json.dumps(value)
            for name, value in config.hyperparameters.model_dump(mode="json").items()
        },
    }


def pruned_end(study: Study, number: int, epoch: float, scores: list[float]) -> str:
    """The `end` attribute of a trial that the pruner stops after these scores, with what it was compared with.

    The median pruner holds a trial's best score so far against the finished trials' scores at the same report.
    """
    if isinstance(study.pruner, HalvingPruner):
        return f"pruned at epoch {epoch:g}: {scores[-1]:.4f}, {study.pruner.verdict(study, number, len(scores))}"
    others = [trial.intermediate_values.get(len(scores)) for trial in _finished_search(study)]
    bound = median([score for score in others if score is not None])
    return f"pruned at epoch {epoch:g}: {min(scores):.4f} against the median {bound:.4f}"


def check_unchanged(study: Study, wanted: dict[str, str], paths: StudyPaths) -> None:
    """Refuse to go on with a study under another search space, objective, model or data.

    Raises: StudyError: naming every difference.
    """
    begun = of_any_age(study.user_attrs["identity"])
    changed = [
        f"{key} was {begun.get(key, 'not there')}, is now {wanted.get(key, 'not there')}"
        for key in sorted(begun.keys() | wanted.keys())
        if begun.get(key) != wanted.get(key)
    ]
    if changed:
        raise StudyError(
            f"{paths.folder}: this study was begun otherwise: {'; '.join(changed)}. Change it back, give the new "
            "study another name, or begin anew with --fresh (make tune FRESH=1), which moves the old one aside"
        )


def of_any_age(identity: dict[str, str]) -> dict[str, str]:
    """A setting that a study is older than is filled in as it was then."""
    model = {name: value for name, value in FIRST_VALUES.items() if name in Model.model_fields}
    searched = {name: value for name, value in FIRST_VALUES.items() if name in Hyperparameters.model_fields}
    return {
        "objectives": json.dumps(["val_bpd"]),
        **{f"hyperparameters.{name}": json.dumps(value) for name, value in searched.items()},
        **identity,
        "model": Model.model_validate_json(json.dumps(model | json.loads(identity["model"]))).model_dump_json(),
    }


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


def prepare(study: Study, config: StudyConfig, n_total: int | None = None) -> None:
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


def make_sampler(study: Study, config: StudyConfig) -> ConfigurationSampler:
    """The sampler as configured, which knows what the study was given of another one."""
    space, training = distributions(config.hyperparameters), config.training
    given = warm_start_of(study)
    return ConfigurationSampler(
        config.sampler.name,
        space,
        config.seed,
        study.user_attrs["startup_trials"],
        TrainConfig(epochs=training.epochs, report_every=training.report_every).n_reports,
        given.trials(space) if given else (),
    )


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


def startup_trials(affordable_trials: float) -> int:
    """How many trials are sampled at random before TPE is trusted: a third of the affordable ones, ten at most.

    The first trial always counts as one: there is nothing before it to be guided by.
    """
    return max(1, min(MAX_STARTUP_TRIALS, int(affordable_trials // 3)))


def ended(study: Study) -> list[FrozenTrial]:
    """Trials that are over, for better or worse."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
