"""A study that grows: its file may name a wider range, or more choices, than it was created with, and longer trials.

Optuna stores with every value the distribution that it was drawn from, of choices the index alone, and refuses other
choices. So the values of all trials get the new distributions. Trials that have finished become paused ones, which can
be continued.
"""

import json

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages._rdb import models
from optuna.study import Study
from sqlalchemy import select, update

from hpo.config.schema import StudyConfig
from hpo.config.search_space import distributions
from hpo.search.configurations import END
from hpo.storage.database import DATABASE_ERRORS, FINGERPRINT, StudyError, reason_of
from hpo.storage.fingerprint import EPOCHS, longer_epochs, settings_fingerprint, stored_fingerprint, wider_entries
from hpo.storage.paths import StudyPaths
from hpo.storage.tables.study_attributes import engine_of
from model.errors import FIX_AND_RUN_AGAIN


def adopt_growth(study: Study, config: StudyConfig, paths: StudyPaths) -> list[str]:
    """Give a study the wider search space and the longer trials of its file, all at once; it must be opened again.

    The caller holds the study's lock.

    Returns: the lines that say what has grown; empty if nothing has.

    Raises: StudyError: the database cannot be written.
    """
    stored, current = stored_fingerprint(study), settings_fingerprint(config)
    names, searched = wider_entries(stored, current), distributions(config.hyperparameters)
    keys = {name: f"hyperparameters.{name}" for name in names}
    n_epochs = longer_epochs(stored, current)
    grown = [*keys.values(), *([EPOCHS] if n_epochs else [])]
    if not grown:
        return []
    fingerprint = study.user_attrs[FINGERPRINT] | {key: current[key] for key in grown}
    new_end = f"pruned: at epoch {stored[EPOCHS]}, the end of a trial until then" if n_epochs else None
    try:
        _write({name: searched[name] for name in names}, fingerprint, new_end, study)
    except DATABASE_ERRORS as error:
        raise StudyError(
            f"{paths.folder}: its database cannot be written ({reason_of(error)}); {FIX_AND_RUN_AGAIN}"
        ) from error
    wider = [f"{name} {_described(current[key])}, before {_described(stored[key])}" for name, key in keys.items()]
    lines = [f"The study goes on with the wider search space of its file: {'; '.join(wider)}"] if wider else []
    if n_epochs:
        lines.append(
            f"Trials have {n_epochs} epochs from now on, before {stored[EPOCHS]}: those that may become the best are "
            "continued"
        )
    return lines


def _write(wider: dict[str, BaseDistribution], fingerprint: dict[str, str], new_end: str | None, study: Study) -> None:
    """Store these distributions with the values of all trials, the fingerprint, and a new end of the finished ones.

    All in one transaction.

    Otherwise a call that was killed in between would leave a study that its former file cannot continue.
    """
    engine = engine_of(study)
    assert engine is not None, "a study in memory has no file that could be wider"
    param, attribute, of_trial = models.TrialParamModel, models.StudyUserAttributeModel, models.TrialUserAttributeModel
    ids = select(models.TrialModel.trial_id).where(models.TrialModel.study_id == study._study_id)
    columns = param.param_id, param.param_value, param.distribution_json
    with engine.begin() as connection:
        for name, distribution in wider.items():
            found = select(*columns).where(param.param_name == name, param.trial_id.in_(ids))
            for param_id, value, text in connection.execute(found).all():
                new_value, new_text = _rewritten(value, text, distribution)
                values = {"param_value": new_value, "distribution_json": new_text}
                connection.execute(update(param).where(param.param_id == param_id).values(values))
        if new_end:
            has_finished = (
                of_trial.key == END,
                of_trial.value_json == json.dumps("finished"),
                of_trial.trial_id.in_(ids),
            )
            connection.execute(update(of_trial).where(*has_finished).values(value_json=json.dumps(new_end)))
        of_study = attribute.study_id == study._study_id, attribute.key == FINGERPRINT
        connection.execute(update(attribute).where(*of_study).values(value_json=json.dumps(fingerprint)))


def _rewritten(value: float, text: str, distribution: BaseDistribution) -> tuple[float, str]:
    """Return a value as Optuna stores it with another distribution, and that distribution as text."""
    meant = json_to_distribution(text).to_external_repr(value)
    return distribution.to_internal_repr(meant), distribution_to_json(distribution)


def _described(entry: str) -> str:
    """Return a range or choices in the form that a study's file has."""
    found = json.loads(entry)
    if "choices" in found:
        return f"[{', '.join(map(str, found['choices']))}]"
    return f"from {found['low']:g} to {found['high']:g}"
