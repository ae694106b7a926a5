"""A study's sampler and pruner, and what a resume may not change."""

import json

from optuna.study import Study

from hpo.config.hyperparameters import Hyperparameters
from hpo.config.schema import Model, StudyConfig
from hpo.storage.database import StudyError
from hpo.storage.paths import StudyPaths
from model.config import FIRST_VALUES
from model.data.images import ImageData


def fingerprint(config: StudyConfig, data: ImageData) -> dict[str, str]:
    """What makes trials comparable and a resume go on as one run would have: JSON text by dotted key."""
    return {
        "data.source": json.dumps(data.source),
        "data.digest": json.dumps(data.digest[:16]),
        **settings_fingerprint(config),
    }


def settings_fingerprint(config: StudyConfig) -> dict[str, str]:
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


def check_unchanged(study: Study, wanted: dict[str, str], paths: StudyPaths) -> None:
    """Refuse to go on with a study under another search space, objective, model or data.

    Raises: StudyError: naming every difference.
    """
    begun = with_defaults_of_old_studies(study.user_attrs["identity"])
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


def with_defaults_of_old_studies(identity: dict[str, str]) -> dict[str, str]:
    """A setting that a study is older than is filled in as it was then."""
    model = {name: value for name, value in FIRST_VALUES.items() if name in Model.model_fields}
    searched = {name: value for name, value in FIRST_VALUES.items() if name in Hyperparameters.model_fields}
    return {
        "objectives": json.dumps(["val_bpd"]),
        **{f"hyperparameters.{name}": json.dumps(value) for name, value in searched.items()},
        **identity,
        "model": Model.model_validate_json(json.dumps(model | json.loads(identity["model"]))).model_dump_json(),
    }
