"""Creating and opening the study of one call of `tune`, before any trial runs."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from optuna.study import Study

from hpo.analysis.score_explanation import SCORE
from hpo.config.call_arguments import TuneArguments
from hpo.config.default_search_space import default_search_space
from hpo.config.prepared_study import PreparedStudy
from hpo.config.schema import StudyConfig
from hpo.config.study_file import ConfigError
from hpo.search.configurations import configurations_of
from hpo.search.samplers import make_sampler, startup_trials
from hpo.search.scheduler import Plan, next_step, reserved_s
from hpo.search.warm_start import WARM_START, WarmStart, WarmStartError, are_comparable, find_warm_start, warm_start_of
from hpo.storage import provenance
from hpo.storage.backend import backend_of, existing_study
from hpo.storage.cluster.joining import DEVICE_KIND, PROGRAM_VERSION
from hpo.storage.create_study import create_study
from hpo.storage.database import FINGERPRINT, StudyError
from hpo.storage.fingerprint import (
    EPOCHS,
    PRUNER_WARMUP,
    fingerprint,
    longer_epochs,
    settings_fingerprint,
    stored_fingerprint,
    wider_entries,
)
from hpo.storage.open_study import open_study
from hpo.storage.paths import StudyPaths
from hpo.storage.tables.growing_study import adopt_growth
from hpo.workers.budget_estimate import BudgetEstimate
from model.network.feature_maps import map_shapes, n_features


def check_code_length(config: StudyConfig) -> None:
    """Refuse a new study whose code is longer than what it is computed from. Studies of earlier versions may be so.

    Raises: ConfigError: it is longer.
    """
    model, largest = config.model, config.hyperparameters.largest("latent_dim")
    n_values = n_features(map_shapes(model.channels, model.architecture, config.data.image_shape[1]))
    if largest > n_values:
        raise ConfigError(
            f"{config.name}: hyperparameters.latent_dim: must be at most {n_values}, the number of features that "
            f"model.channels {list(model.channels)} compute, but goes up to {largest}"
        )


def check_not_shorter(study: Study, epochs: int | None, paths: StudyPaths) -> None:
    """Refuse fewer epochs than the study's trials have by now.

    Raises: StudyError: they would become shorter.
    """
    n_epochs = longer_epochs({EPOCHS: str(epochs or 0)}, stored_fingerprint(study))
    if epochs is not None and n_epochs is not None:
        raise StudyError(
            f"--epochs {epochs}: trials of {paths.address} have {n_epochs} epochs, and cannot become shorter"
        )


def with_search_space(prepared: PreparedStudy, from_study: str | None = None) -> PreparedStudy:
    """Return a new study with a search space: that of its file or, if it has none, one that fits its images.

    Where its file leaves the length of a trial open, it is that of the other study: scores then compare.

    Raises: ConfigError, StudyError: there is no such other study.
    """
    if from_study and prepared.config.training.epochs == "auto":
        training = prepared.config.training.model_copy(
            update={"epochs": open_study(from_study, prepared.location).config.training.epochs}
        )
        prepared = replace(prepared, config=prepared.config.model_copy(update={"training": training}))
    if "hyperparameters" in prepared.config.model_fields_set:
        return prepared
    config = prepared.config
    shapes = map_shapes(config.model.channels, config.model.architecture, prepared.data.image_shape[1])
    space = default_search_space(len(prepared.data.train), config.training.report_every, n_features(shapes))
    return replace(prepared, config=config.model_copy(update={"hyperparameters": space}))


def with_growth(
    study: Study, prepared: PreparedStudy, paths: StudyPaths, *, joins: bool, on_notice: Callable[[str], None]
) -> Study:
    """Give a study the wider search space and the longer trials of its file, if any; return the study as it is then.

    Raises: StudyError: other machines work on the study. ConfigError: the code would be too long.
    """
    stored, current = stored_fingerprint(study), settings_fingerprint(prepared.config)
    wider = wider_entries(stored, current)
    grown = [*wider, *([EPOCHS] if longer_epochs(stored, current) else [])]
    if not grown:
        return study
    # On one machine, calls exclude each other.
    if prepared.location and (joins or backend_of(paths).claims.is_tuned(study)):
        raise StudyError(
            f"{paths.address}: it grows by a call of tune while nobody works on it: {', '.join(grown)}; "
            "stop the other workers first"
        )
    if "latent_dim" in wider:
        check_code_length(prepared.config)
    for line in adopt_growth(study, prepared.config, paths):
        on_notice(line)
    reopened = existing_study(prepared.config.name, paths)
    assert reopened is not None, "it was open"
    return reopened


def plan_warm_start(prepared: PreparedStudy, from_study: str, fresh: bool) -> WarmStart | None:
    """Return what a new study takes from another one; None for a study that was created with that one's values.

    Raises: StudyError: the study exists and was created without the other one.
            WarmStartError: the other study has no values to give.
            ConfigError: there is no such study.
    """
    config, other = prepared.config, open_study(from_study, prepared.location)
    study = None if fresh else existing_study(config.name, StudyPaths.of(config.name, prepared.location))
    if study is not None:
        earlier = warm_start_of(study)
        if earlier is None or earlier.study != other.study.study_name:
            raise StudyError(
                f"--from-study {from_study}: this study was created without it; start over with --fresh (make: FRESH=1)"
            )
        return None
    comparable = are_comparable(fingerprint(config, prepared.data), stored_fingerprint(other.study))
    try:
        return find_warm_start(config, other.study, other.config, is_comparable=comparable)
    except WarmStartError as error:
        raise WarmStartError(f"--from-study {from_study}: {error}") from None


def has_work(study: Study, config: StudyConfig, budget: TuneArguments) -> bool:
    """Return True if a call with this budget and without a time limit would run a trial."""
    if any(not trial.state.is_finished() for trial in study.get_trials(deepcopy=False)):
        return True
    sampler = make_sampler(study, config)
    step = next_step(configurations_of(study), config, Plan(budget.workers), budget.trials, math.inf, sampler)
    return step.action != "stop"


def create_prepared_study(
    prepared: PreparedStudy,
    estimate: BudgetEstimate,
    warm_start: WarmStart | None,
    paths: StudyPaths,
) -> Study:
    """Create the study. The number of unguided trials follows from its file's budget alone: it must not depend on
    how the search is cut into calls.
    """
    config = prepared.config
    reserved = reserved_s([], config, estimate.plan(config.budget, 1))
    n_startup = startup_trials(estimate.n_affordable(config, config.budget, reserved))
    return create_study(config, paths, _attributes(prepared, n_startup, warm_start))


def _attributes(prepared: PreparedStudy, n_startup_trials: int, warm_start: WarmStart | None) -> dict[str, Any]:
    return {
        "score": SCORE,
        "startup_trials": n_startup_trials,
        PRUNER_WARMUP: prepared.config.pruner.first_epoch(prepared.config.training.n_epochs),
        "precision": prepared.runtime.precision,
        DEVICE_KIND: prepared.runtime.device.type,
        "data": provenance.data_facts(prepared.data),
        "versions": provenance.versions(),
        "git_commit": provenance.git_commit(),
        PROGRAM_VERSION: provenance.program_version(),
        **({WARM_START: warm_start.as_attribute()} if warm_start else {}),
        # Last, as `create_study` requires.
        FINGERPRINT: fingerprint(prepared.config, prepared.data),
    }
