"""A study's search space that grows: its file may name a wider range, or more choices, than the study was created with.

Optuna stores with every value the distribution that it was drawn from, of choices the index alone, and refuses other
choices. So the values of all trials get the new distributions.
"""

import json

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages._rdb import models
from optuna.study import Study
from sqlalchemy import select, update

from hpo.config.schema import StudyConfig
from hpo.config.search_space import distributions
from hpo.storage.database import DATABASE_ERRORS, FINGERPRINT, StudyError, reason_of
from hpo.storage.fingerprint import settings_fingerprint, stored_fingerprint, wider_entries
from hpo.storage.paths import StudyPaths
from hpo.storage.tables.study_attributes import engine_of
from model.errors import FIX_AND_RUN_AGAIN


def adopt_wider_space(study: Study, config: StudyConfig, paths: StudyPaths) -> str:
    """Give a study the wider search space of its file, all at once; a study that is open must be opened again.

    The caller holds the study's lock.

    Returns: the line that says what has become wider.

    Raises: StudyError: the database cannot be written.
    """
    stored, current = stored_fingerprint(study), settings_fingerprint(config)
    names, searched = wider_entries(stored, current), distributions(config.hyperparameters)
    keys = {name: f"hyperparameters.{name}" for name in names}
    fingerprint = study.user_attrs[FINGERPRINT] | {key: current[key] for key in keys.values()}
    try:
        _write({name: searched[name] for name in names}, fingerprint, study)
    except DATABASE_ERRORS as error:
        raise StudyError(
            f"{paths.folder}: its database cannot be written ({reason_of(error)}); {FIX_AND_RUN_AGAIN}"
        ) from error
    grown = [f"{name} {_described(current[key])}, before {_described(stored[key])}" for name, key in keys.items()]
    return f"The study goes on with the wider search space of its file: {'; '.join(grown)}"


def _write(wider: dict[str, BaseDistribution], fingerprint: dict[str, str], study: Study) -> None:
    """Store these distributions with the values of all trials, and the fingerprint, in one transaction.

    Otherwise a call that was killed in between would leave a study that its former file cannot continue.
    """
    engine = engine_of(study)
    assert engine is not None, "a study in memory has no file that could be wider"
    param, attribute = models.TrialParamModel, models.StudyUserAttributeModel
    ids = select(models.TrialModel.trial_id).where(models.TrialModel.study_id == study._study_id)
    columns = param.param_id, param.param_value, param.distribution_json
    with engine.begin() as connection:
        for name, distribution in wider.items():
            found = select(*columns).where(param.param_name == name, param.trial_id.in_(ids))
            for param_id, value, text in connection.execute(found).all():
                new_value, new_text = _rewritten(value, text, distribution)
                values = {"param_value": new_value, "distribution_json": new_text}
                connection.execute(update(param).where(param.param_id == param_id).values(values))
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
