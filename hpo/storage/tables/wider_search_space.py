"""A study's search space that grows: its file may name a wider range, or more choices, than the study was created with.

Optuna stores with every value the distribution that it was drawn from, of choices the index alone, and refuses other
choices. So the values of all trials get the new distributions.
"""

import contextlib
import json
import sqlite3

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.study import Study

from hpo.config.schema import StudyConfig
from hpo.config.search_space import distributions
from hpo.storage.database import BUSY_TIMEOUT_S, FINGERPRINT, StudyError, reason_of
from hpo.storage.fingerprint import settings_fingerprint, stored_fingerprint, wider_entries
from hpo.storage.paths import StudyPaths
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
        _write({name: searched[name] for name in names}, fingerprint, paths)
    except sqlite3.Error as error:
        raise StudyError(f"{paths.database}: cannot be written ({reason_of(error)}); {FIX_AND_RUN_AGAIN}") from error
    grown = [f"{name} {_described(current[key])}, before {_described(stored[key])}" for name, key in keys.items()]
    return f"The study goes on with the wider search space of its file: {'; '.join(grown)}"


def _write(wider: dict[str, BaseDistribution], fingerprint: dict[str, str], paths: StudyPaths) -> None:
    """Store these distributions with the values of all trials, and the fingerprint, in one transaction.

    Otherwise a call that was killed in between would leave a study that its former file cannot continue.
    """
    connection = sqlite3.connect(paths.database, timeout=BUSY_TIMEOUT_S)
    with contextlib.closing(connection), connection:
        for name, distribution in wider.items():
            rows = connection.execute(
                "SELECT param_id, param_value, distribution_json FROM trial_params WHERE param_name = ?", (name,)
            ).fetchall()
            changed = [(*_rewritten(value, text, distribution), number) for number, value, text in rows]
            connection.executemany(
                "UPDATE trial_params SET param_value = ?, distribution_json = ? WHERE param_id = ?", changed
            )
        text = json.dumps(fingerprint)
        connection.execute("UPDATE study_user_attributes SET value_json = ? WHERE key = ?", (text, FINGERPRINT))


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
