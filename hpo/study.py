"""A study's storage, sampler and pruner, and what a resume may not change."""

import contextlib
import json
import sqlite3
import warnings
from statistics import median
from typing import Any

import optuna
import sqlalchemy
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.config import Pruner, StudyConfig
from hpo.paths import SAMPLE_SUFFIX, StudyPaths
from hpo.sampler import PerTrialSeededSampler
from hpo.search_space import tutorial_values
from model.data import ImageData
from model.errors import UserError

# Several seconds of another process's write are waited for, never answered with "database is locked".
BUSY_TIMEOUT_S = 60
MAX_STARTUP_TRIALS = 10
CONSTRAINT = "finite"


def quieten() -> None:
    """Keep what Optuna says of itself out of a worker's output."""
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)


class StudyError(UserError):
    """The study at hand cannot be opened, or is not the one asked for."""


def identity(config: StudyConfig, data: ImageData) -> dict[str, str]:
    """What makes trials comparable and a resume go on as one run would have: JSON text by dotted key."""
    return {
        "seed": json.dumps(config.seed),
        "data.source": json.dumps(data.source),
        "data.digest": json.dumps(data.digest[:16]),
        "model": config.model.model_dump_json(),
        "training.epochs": json.dumps(config.training.epochs),
        "training.report_every": json.dumps(config.training.report_every),
        **{
            f"hyperparameters.{name}": json.dumps(value)
            for name, value in config.hyperparameters.model_dump(mode="json").items()
        },
    }


def existing_study(name: str, paths: StudyPaths) -> Study | None:
    """The study as it stands, or None where none was begun.

    Raises: StudyError: its database is damaged or not a study's.
    """
    if not paths.database.exists() or paths.database.stat().st_size == 0:
        return None
    try:
        return optuna.load_study(study_name=name, storage=storage(paths))
    except KeyError:
        # Killed before its first write: nothing is in there yet.
        return None
    except (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, RuntimeError) as error:
        raise _damaged(paths, error) from error


def find_study(name: str, config_name: str) -> StudyPaths:
    """The study's folder, or that of the sample's study which stands in for it.

    Raises: StudyError: there is neither.
    """
    for candidate in (name, f"{name}{SAMPLE_SUFFIX}"):
        paths = StudyPaths.of(candidate)
        study = existing_study(candidate, paths)
        if study is not None and "identity" in study.user_attrs:
            return paths
    raise StudyError(f"{StudyPaths.of(name).folder}: there is no study yet; run make tune STUDY={config_name}")


def is_pruned(end: str) -> bool:
    """Whether a trial's `end` attribute tells of the pruner, not of a fault."""
    return end.startswith("pruned")


def pruned_end(study: Study, epoch: float, scores: list[float]) -> str:
    """The `end` attribute of a trial that the pruner stops after these scores, with what it was compared with.

    The median pruner holds a trial's best score so far against the finished trials' scores at the same report.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    others = [trial.intermediate_values.get(len(scores)) for trial in finished]
    bound = median([score for score in others if score is not None])
    return f"pruned at epoch {epoch:g}: {min(scores):.4f} against the median {bound:.4f}"


def check_unchanged(study: Study, wanted: dict[str, str], paths: StudyPaths) -> None:
    """Refuse to go on with a study under another search space, objective, model or data.

    Raises: StudyError: naming every difference.
    """
    begun: dict[str, str] = study.user_attrs["identity"]
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


def create_study(config: StudyConfig, paths: StudyPaths, attributes: dict[str, Any]) -> Study:
    """Begin a study: SQLite in WAL mode, its identity and facts as attributes.

    Raises: StudyError: the folder cannot be written.
    """
    paths.folder.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(paths.database)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as error:
        raise StudyError(f"{paths.database}: cannot be written ({error}); mend the folder's permissions") from error
    study = optuna.create_study(
        study_name=config.name, storage=storage(paths), direction="minimize", load_if_exists=True
    )
    study.set_metric_names(["val_bpd"])
    for name, value in attributes.items():
        study.set_user_attr(name, value)
    return study


def prepare(study: Study, config: StudyConfig) -> None:
    """Give a study its sampler, its pruner and, as the very first trial, the tutorial's values."""
    study.sampler = PerTrialSeededSampler(config.seed, study.user_attrs["startup_trials"])
    study.pruner = make_pruner(config.pruner, config.training.report_every)
    values = tutorial_values(config.hyperparameters)
    if values and not study.get_trials(deepcopy=False):
        study.enqueue_trial(values)


def make_pruner(pruner: Pruner, report_every: float) -> optuna.pruners.BasePruner:
    """The pruner as configured; its steps are report points 1, 2, ..."""
    if pruner.name == "none":
        return optuna.pruners.NopPruner()
    n_warmup = max(1, round(pruner.warmup_epochs / report_every))
    return optuna.pruners.MedianPruner(n_startup_trials=pruner.startup_trials, n_warmup_steps=n_warmup)


def startup_trials(affordable_trials: float) -> int:
    """How many trials are sampled at random before TPE is trusted: a third of the affordable ones, ten at most.

    The first trial always counts as one: there is nothing before it to be guided by.
    """
    return max(1, min(MAX_STARTUP_TRIALS, int(affordable_trials // 3)))


def best_trial(study: Study) -> FrozenTrial | None:
    """The finished trial of lowest val_bpd, or None where none has finished."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min(finished, key=lambda trial: (trial.value, trial.number), default=None)


def ended(study: Study) -> list[FrozenTrial]:
    """Trials that are over, for better or worse."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def storage(paths: StudyPaths) -> optuna.storages.RDBStorage:
    """The study's SQLite database, as Optuna opens it."""
    url = sqlalchemy.URL.create("sqlite", database=str(paths.database)).render_as_string()
    return optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": BUSY_TIMEOUT_S}})


def _damaged(paths: StudyPaths, error: Exception) -> StudyError:
    reason = " ".join(str(error).split())[:200]
    return StudyError(
        f"{paths.database}: cannot be opened as a study ({reason}). Restore it, or begin anew with --fresh "
        "(make tune FRESH=1), which moves the folder aside"
    )
