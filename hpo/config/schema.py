"""StudyConfig: a study file as one frozen, validated object."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from hpo.config.default_search_space import N_IMAGES_UNSHIFTED, default_search_space
from hpo.config.hyperparameters import Choices, Hyperparameters, Range
from hpo.config.image_source import Data
from hpo.config.sections import (
    Budget,
    Confirmation,
    FrameInterval,
    FramesPerSecond,
    Interval,
    Model,
    Objective,
    Objectives,
    Pruner,
    Retrain,
    Sampler,
    Training,
)
from hpo.config.strict_model import ACROSS_KEYS, Seed, StrictModel

__all__ = [
    "COMPARE_NAME",
    "RESERVED_NAMES",
    "SAMPLE_SUFFIX",
    "SHOWCASE_NAME",
    "TRAIN_NAME",
    "Budget",
    "Confirmation",
    "Data",
    "FittingHyperparameters",
    "FrameInterval",
    "FramesPerSecond",
    "Interval",
    "Model",
    "Objective",
    "Pruner",
    "Retrain",
    "Sampler",
    "StudyConfig",
    "Training",
]

# Folders in results/ that hold other things than studies.
TRAIN_NAME, SHOWCASE_NAME, COMPARE_NAME = "train", "showcase", "compare"
RESERVED_NAMES = (TRAIN_NAME, SHOWCASE_NAME, COMPARE_NAME)
# Suffix of the name of a study that runs on the bundled sample because CIFAR-10 could not be downloaded.
SAMPLE_SUFFIX = "-sample"


_NAME, _MAX_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$", 100


def is_study_name(text: str) -> bool:
    """Return True if a study may have this name."""
    return re.match(_NAME, text) is not None and len(text) <= _MAX_NAME and text not in RESERVED_NAMES


def _not_reserved(name: str) -> str:
    if name in RESERVED_NAMES:
        *others, last = (f"results/{reserved}" for reserved in RESERVED_NAMES)
        folders = f"{', '.join(others)} and {last}"
        message = "must be another name, because {folders} hold other things"
        raise PydanticCustomError("reserved", message, {"folders": folders})
    return name


def _scored_as_gaussian(hyperparameters: Hyperparameters, info: ValidationInfo) -> Hyperparameters:
    model = info.data.get("model")
    entry = hyperparameters.entries()["reconstruction"]
    values = entry.choices if isinstance(entry, Choices) else (entry,)
    if model is not None and model.linear_path and "bce" in values:
        raise PydanticCustomError(
            ACROSS_KEYS, "with model.linear_path reconstruction must be gaussian: pPCA is a Gaussian model"
        )
    return hyperparameters


# Checked against the model, which is validated before them.
FittingHyperparameters = Annotated[Hyperparameters, AfterValidator(_scored_as_gaussian)]


class StudyConfig(StrictModel):
    """Configuration of a study: images, model, search space, budget and algorithms."""

    name: Annotated[str, Field(pattern=_NAME, max_length=_MAX_NAME), AfterValidator(_not_reserved)] = Field(
        description="Name of the study and of its folder in results/; the file's name if left out."
    )
    seed: Seed = Field(default=0, description="Seed of the search; a trial's seed follows from it and its number.")
    data: Data = Data()
    model: Model = Model()
    # Where a file leaves them out, a new study gets `default_search_space` of its images; here that of many.
    hyperparameters: FittingHyperparameters = default_search_space(N_IMAGES_UNSHIFTED)
    # Before sampler, pruner and confirmation, which are restricted if there are two objectives.
    objectives: Objectives = Field(
        default=("val_bpd",),
        description="Scores to minimise: val_bpd, alone or followed by latent_dim, if it is searched, or "
        "seconds_per_epoch.",
    )
    training: Training = Training()
    budget: Budget = Budget(timeout_minutes=30)
    sampler: Sampler = Sampler()
    pruner: Pruner = Pruner()
    confirmation: Confirmation = Confirmation()
    retrain: Retrain = Retrain()

    def __reduce__(self) -> tuple[Any, ...]:
        # As JSON: the generic types of hyperparameters are made at run time and have no name that pickle could import.
        return type(self).model_validate_json, (self.model_dump_json(),)

    @field_validator("hyperparameters")
    @classmethod
    def _something_is_searched(cls, hyperparameters: Hyperparameters) -> Hyperparameters:
        if not any(isinstance(entry, Range | Choices) for entry in hyperparameters.entries().values()):
            raise PydanticCustomError(ACROSS_KEYS, "must have something to search: give an entry a range or choices")
        return hyperparameters

    @field_validator("objectives")
    @classmethod
    def _searched(cls, objectives: tuple[Objective, ...], info: ValidationInfo) -> tuple[Objective, ...]:
        hyperparameters = info.data.get("hyperparameters")
        if "latent_dim" in objectives and hyperparameters and "latent_dim" in hyperparameters.fixed():
            raise PydanticCustomError(
                ACROSS_KEYS,
                "must not contain latent_dim, which is fixed: give hyperparameters.latent_dim a range or choices",
            )
        return objectives

    @field_validator("sampler")
    @classmethod
    def _fits_objectives_and_patience(cls, sampler: Sampler, info: ValidationInfo) -> Sampler:
        # The GP of learning curves models a single score.
        several, budget = len(info.data.get("objectives", ())) > 1, info.data.get("budget")
        if budget and budget.patience is not None and (several or sampler.name != "curves"):
            raise PydanticCustomError(
                ACROSS_KEYS,
                "must be curves, with one objective, where budget.patience is given: no other predicts scores",
            )
        return Sampler(name="tpe") if several and sampler.name == "curves" else sampler

    @field_validator("pruner")
    @classmethod
    def _off_for_two_objectives(cls, pruner: Pruner, info: ValidationInfo) -> Pruner:
        # Optuna's pruners know one score, and a trial that is bad by that score may still lie on the Pareto front.
        return Pruner(name="none") if len(info.data.get("objectives", ())) > 1 else pruner

    @field_validator("confirmation")
    @classmethod
    def _of_one_objective(cls, confirmation: Confirmation, info: ValidationInfo) -> Confirmation:
        # Only the reader can choose the best trial of a Pareto front.
        return Confirmation(top=0) if len(info.data.get("objectives", ())) > 1 else confirmation
