"""Fingerprint of a study: the settings that all its trials share; otherwise their scores do not compare."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optuna.study import Study

from hpo.config.hyperparameters import Choices, Hyperparameters
from hpo.config.schema import Model, StudyConfig
from hpo.storage.database import FINGERPRINT, StudyError
from hpo.storage.paths import StudyPaths
from hpo.user_commands import FRESH, user_command
from model.config import FIRST_VALUES, IMAGE_SHAPE, REMOVED, TrainConfig, former_defaults

if TYPE_CHECKING:
    from model.data.images import ImageData

# Attribute: `pruner.warmup_epochs` as it was settled when the study was created; older studies have no such attribute.
PRUNER_WARMUP, _FORMER_WARMUP_EPOCHS = "pruner_warmup_epochs", 1.0
EPOCHS = "training.epochs"
# Length of a retraining in studies that are older than `auto`, which came with this setting.
_FORMER_RETRAIN_EPOCHS, _AUTO_CAME_WITH = 20, "hyperparameters.horizontal_flip"


def fingerprint(config: StudyConfig, data: "ImageData") -> dict[str, str]:
    """Return the settings and data that make trials comparable, and a resumed study equal to an uninterrupted one.

    Returns: JSON text by dotted key.
    """
    return {
        "data.source": json.dumps(data.source),
        "data.digest": json.dumps(data.digest[:16]),
        # Left out in the shape that all images had first, so that those studies keep their fingerprints.
        **({} if data.image_shape == IMAGE_SHAPE else {"data.image_shape": json.dumps(data.image_shape)}),
        **settings_fingerprint(config),
    }


def settings_fingerprint(config: StudyConfig) -> dict[str, str]:
    """Return the part of the fingerprint that follows from the study's file alone, without its images."""
    return {
        "seed": json.dumps(config.seed),
        "objectives": json.dumps(config.objectives),
        "model": config.model.model_dump_json(),
        EPOCHS: json.dumps(config.training.epochs),
        "training.report_every": json.dumps(config.training.report_every),
        **{
            f"hyperparameters.{name}": json.dumps(value)
            for name, value in config.hyperparameters.model_dump(mode="json").items()
        },
    }


def check_unchanged(
    study: Study, current: dict[str, str], paths: StudyPaths, config: StudyConfig | None = None
) -> None:
    """Compare the current fingerprint with that of the study, whose search space may have become wider.

    Args:
        study: as it is stored.
        current: from `fingerprint`.
        paths: the study's, for the message.
        config: the study's file, if its trials may have become longer.

    Raises: StudyError: naming every other difference.
    """
    stored = stored_fingerprint(study)
    grown = {f"hyperparameters.{name}" for name in wider_entries(stored, current)}
    why_not = None
    if config is not None and longer_epochs(stored, current):
        why_not = why_not_longer(config, _n_epochs(stored))
        grown |= set() if why_not else {EPOCHS}
    changed = [key for key in sorted((stored.keys() | current.keys()) - grown) if stored.get(key) != current.get(key)]
    if changed:
        changes = [
            f"{key} was {stored.get(key, 'not there')}, is now {current.get(key, 'not there')}" for key in changed
        ]
        remedy = "Change them back"
        if changed == [EPOCHS]:
            remedy = f"Go on with {user_command('tune', study.study_name, epochs=_n_epochs(stored))}"
        raise StudyError(
            f"{paths.address}: this study has different settings: {'; '.join(changes)}"
            f"{f' (trials cannot become longer {why_not})' if why_not else ''}. "
            f"{remedy}, give the new study another name, or start over with {FRESH}, which moves the old study aside"
        )


def why_not_longer(config: StudyConfig, n_epochs: int) -> str | None:
    """Return why the trials of a study, of `n_epochs` epochs, cannot go on for longer; None if they can."""
    hyperparameters, training = config.hyperparameters, config.training
    entry = hyperparameters.entries()["schedule"]
    schedules = entry.choices if isinstance(entry, Choices) else (entry,)
    if config.pruner.name != "halving":
        return f"with pruner {config.pruner.name}, which continues none"
    if "cosine" in schedules:
        return "with schedule cosine, whose learning rate falls to zero"
    trial = TrainConfig(
        epochs=n_epochs,
        report_every=training.report_every,
        warmup_epochs=hyperparameters.largest("warmup_epochs"),
        schedule="schedule_free",
    )
    return None if trial.can_be_longer else "since their warm-up or their last report was cut off by their end"


def has_other_length(study: Study, config: StudyConfig) -> bool:
    """Return True if the trials of a study have become longer since a process opened it with this configuration."""
    return _n_epochs(stored_fingerprint(study)) != config.training.n_epochs


def longer_epochs(stored: Mapping[str, str], current: Mapping[str, str]) -> int | None:
    """Return the length that trials have now, in epochs, if they are longer than when these settings were stored."""
    return _n_epochs(current) if _n_epochs(current) > _n_epochs(stored) else None


def _n_epochs(settings: Mapping[str, str]) -> int:
    found = json.loads(settings[EPOCHS])
    # A file that leaves the length open is compared once it was replaced by the study's.
    assert isinstance(found, int)
    return found


def wider_entries(stored: Mapping[str, str], current: Mapping[str, str]) -> list[str]:
    """Return the names of the hyperparameters whose range or choices have changed and contain the stored ones."""
    changed = (key for key in current if key in stored and stored[key] != current[key])
    return [
        key.removeprefix("hyperparameters.")
        for key in changed
        if key.startswith("hyperparameters.") and _contains(json.loads(current[key]), json.loads(stored[key]))
    ]


def _contains(entry: Any, other: Any) -> bool:
    """Return True if a range contains another range of its scale, or choices other choices."""
    if not (isinstance(entry, dict) and isinstance(other, dict) and entry.keys() == other.keys()):
        return False
    if "choices" in entry:
        return set(other["choices"]) <= set(entry["choices"])
    return bool(entry["log"] == other["log"] and entry["low"] <= other["low"] and other["high"] <= entry["high"])


def as_created(study: Study, config: StudyConfig) -> StudyConfig:
    """Return the configuration with all that its file leaves open and that was settled when the study was created.

    That is: the search space and the length of a trial, if they follow from images, machine and budget; the pruner's
    first epoch; and defaults of the version that created the study.
    """
    stored = stored_fingerprint(study)
    hyperparameters, training, retrain = config.hyperparameters, config.training, config.retrain
    pruner = config.pruner
    if pruner.warmup_epochs == "auto":
        warmup_epochs = study.user_attrs.get(PRUNER_WARMUP, _FORMER_WARMUP_EPOCHS)
        pruner = pruner.model_copy(update={"warmup_epochs": warmup_epochs})
    if "hyperparameters" not in config.model_fields_set:
        hyperparameters = Hyperparameters.model_validate_json(json.dumps(_stored_hyperparameters(stored)))
    # A study whose trials have become longer goes on so, whatever its file says.
    n_epochs = _n_epochs(stored)
    is_shorter = training.epochs != "auto" and training.epochs < n_epochs
    searched = config.model_copy(update={"hyperparameters": hyperparameters})
    if training.epochs == "auto" or (is_shorter and why_not_longer(searched, training.epochs) is None):
        training = training.model_copy(update={"epochs": n_epochs})
    if retrain.epochs == "auto" and _AUTO_CAME_WITH not in study.user_attrs[FINGERPRINT]:
        retrain = retrain.model_copy(update={"epochs": _FORMER_RETRAIN_EPOCHS})
    kept = former_defaults_of(study, config)
    model = {name: value for name, value in kept.items() if name in Model.model_fields}
    if "architecture" in kept and "channels" not in config.model.model_fields_set:
        model["channels"] = Model.model_validate_json(stored["model"]).channels
    kept_entries = {name: value for name, value in kept.items() if name in Hyperparameters.model_fields}
    return config.model_copy(
        update={
            "model": config.model.model_copy(update=model),
            "hyperparameters": hyperparameters.model_copy(update=kept_entries),
            "training": training,
            "pruner": pruner,
            "retrain": retrain,
        }
    )


def as_trained(study: Study, config: StudyConfig) -> StudyConfig:
    """Return the configuration as `as_created` does, with length and schedule of the trials, whatever the file says.

    So a study whose file has become another is shown and retrained as before; it cannot be continued with it.
    """
    config, stored = as_created(study, config), stored_fingerprint(study)
    length = {name: json.loads(stored[f"training.{name}"]) for name in ("epochs", "report_every")}
    schedule = Hyperparameters.model_validate_json(json.dumps(_stored_hyperparameters(stored))).schedule
    return config.model_copy(
        update={
            "training": config.training.model_copy(update=length),
            "hyperparameters": config.hyperparameters.model_copy(update={"schedule": schedule}),
        }
    )


def former_defaults_of(study: Study, config: StudyConfig) -> dict[str, Any]:
    """Return the settings that the study has by the default of an earlier version, and that its file does not name."""
    recorded = study.user_attrs[FINGERPRINT]
    values = json.loads(recorded["model"])
    values |= {key.removeprefix("hyperparameters."): json.loads(recorded[key]) for key in recorded if "." in key}
    return former_defaults(values, config.model.model_fields_set | config.hyperparameters.model_fields_set)


def _stored_hyperparameters(stored: dict[str, str]) -> dict[str, Any]:
    return {name: json.loads(stored[f"hyperparameters.{name}"]) for name in Hyperparameters.model_fields}


def stored_fingerprint(study: Study) -> dict[str, str]:
    """Return the fingerprint that a study was created with; settings that it is older than get their first values."""
    removed = {(f"hyperparameters.{name}", json.dumps(value)) for name, value in REMOVED.items()}
    stored: dict[str, str] = dict(study.user_attrs[FINGERPRINT].items() - removed)
    model = {name: value for name, value in FIRST_VALUES.items() if name in Model.model_fields}
    searched = {name: value for name, value in FIRST_VALUES.items() if name in Hyperparameters.model_fields}
    return {
        "objectives": json.dumps(["val_bpd"]),
        **{f"hyperparameters.{name}": json.dumps(value) for name, value in searched.items()},
        **stored,
        "model": Model.model_validate_json(json.dumps(model | json.loads(stored["model"]))).model_dump_json(),
    }
