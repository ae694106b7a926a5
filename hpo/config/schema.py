"""StudyConfig: one YAML file becomes one frozen, validated object, or one message with every fault in it."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from hpo.config.hyperparameters import TUTORIAL, Choices, Hyperparameters, Range
from hpo.config.strict_model import ACROSS_KEYS, NonNegative, Positive, Seed, StrictModel
from model.config import CHANNELS, Architecture, Source

# Folders below results/ that hold other things than studies.
TRAIN_NAME, SHOWCASE_NAME = "train", "showcase"
RESERVED_NAMES = (TRAIN_NAME, SHOWCASE_NAME)


class Data(StrictModel):
    """Which images. `root` names a folder; `fallback` lets the bundled sample stand in where a download fails."""

    source: Source = "cifar10"
    root: Path | None = None
    fallback: bool = True

    @field_validator("root")
    @classmethod
    def _named_for_a_folder(cls, root: Path | None, info: ValidationInfo) -> Path | None:
        if root is None and info.data.get("source") == "folder":
            raise PydanticCustomError(ACROSS_KEYS, "must name the folder of images where source is folder")
        return root


class Model(StrictModel):
    """The VAE: its layers, the output channels of its four convolutions, and whether pPCA stands beside them."""

    architecture: Architecture = TUTORIAL.architecture
    channels: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=4, max_length=4)] = CHANNELS
    linear_path: bool = False


class Training(StrictModel):
    """One trial's length and how it runs."""

    epochs: Annotated[int, Field(ge=1)] = 6
    report_every: Annotated[float, Field(ge=0.01, le=1)] = 1.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"
    compile: bool = False


class Budget(StrictModel):
    """`trials` is the study's total over all calls; `timeout_minutes` is for one call."""

    trials: Annotated[int, Field(ge=1)] | None = None
    timeout_minutes: Positive | None = None

    @field_validator("timeout_minutes")
    @classmethod
    def _bounded(cls, minutes: float | None, info: ValidationInfo) -> float | None:
        if minutes is None and info.data.get("trials", 1) is None:
            raise PydanticCustomError(ACROSS_KEYS, "must be a number where trials is null")
        return minutes


class Sampler(StrictModel):
    """`curves` (a Gaussian process that also expects where paused trials would end), `tpe` (Bergstra et al. 2011), `gp`
    (a Gaussian process with expected improvement) or `random`.
    """

    name: Literal["curves", "tpe", "gp", "random"] = "curves"


class Pruner(StrictModel):
    """`median` stops a trial for good, after warmup_epochs and startup_trials others, whose best score so far is worse
    than the median of the others at the same point.

    `halving` pauses a trial unless it is among the best 1 in reduction_factor that came as far, at warmup_epochs and
    at each multiple of it by a power of rung_spacing, and continues it once it is and may still win (Li et al. 2020).
    """

    name: Literal["halving", "median", "none"] = "halving"
    startup_trials: Annotated[int, Field(ge=1)] = 3
    warmup_epochs: NonNegative = 1.0
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    rung_spacing: Annotated[int, Field(ge=2)] = 2


class Confirmation(StrictModel):
    """The best `top` configurations are trained again with so many new seeds each; `top: 0` for none."""

    top: Annotated[int, Field(ge=0)] = 3
    seeds: Annotated[int, Field(ge=1)] = 2


Objective = Literal["val_bpd", "latent_dim", "seconds_per_epoch"]


def _led_by_the_score(objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
    if len(set(objectives)) < len(objectives):
        raise PydanticCustomError("objectives", "must not repeat a value")
    if objectives[0] != "val_bpd":
        raise PydanticCustomError("objectives", "must begin with val_bpd")
    return objectives


# What every trial is judged by; all of it is to be low.
Objectives = Annotated[tuple[Objective, ...], Field(min_length=1, max_length=2), AfterValidator(_led_by_the_score)]


def _number_or_word(interval: object) -> str:
    return "<word>" if isinstance(interval, str) else "<value>"


Interval = int | Literal["log"]
FrameInterval = Annotated[
    Annotated[int, Field(ge=1), Tag("<value>")] | Annotated[Literal["log"], Tag("<word>")],
    Discriminator(_number_or_word),
]
FramesPerSecond = Annotated[float, Field(gt=0, le=60)]


class Retrain(StrictModel):
    """The best trial's final training. A frame every `reconstruction_interval` epochs, or spaced logarithmically."""

    epochs: Annotated[int, Field(ge=1)] = 20
    seed: Seed = 1000
    importance_samples: Annotated[int, Field(ge=1)] = 64
    reconstruction_interval: FrameInterval = 1
    fps: FramesPerSecond = 2.0


def _not_reserved(name: str) -> str:
    if name in RESERVED_NAMES:
        taken = " and ".join(f"results/{other}" for other in RESERVED_NAMES)
        raise PydanticCustomError("reserved", "must be another name: {taken} hold other things", {"taken": taken})
    return name


def _scored_as_gaussian(hyperparameters: Hyperparameters, info: ValidationInfo) -> Hyperparameters:
    model = info.data.get("model")
    if model is not None and model.linear_path and "bce" in _options(hyperparameters.reconstruction):
        raise PydanticCustomError(
            ACROSS_KEYS, "with model.linear_path reconstruction must be gaussian: pPCA is a Gaussian model"
        )
    return hyperparameters


def _options(entry: Any) -> tuple[Any, ...]:
    return entry.choices if isinstance(entry, Choices) else (entry,)


# Those that fit the model, which is validated before them.
FittingHyperparameters = Annotated[Hyperparameters, AfterValidator(_scored_as_gaussian)]


class StudyConfig(StrictModel):
    """A whole experiment."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100), AfterValidator(_not_reserved)]
    seed: Seed = 0
    data: Data = Data()
    model: Model = Model()
    hyperparameters: FittingHyperparameters = Hyperparameters()
    # Before pruner and confirmation, which are off where there are two.
    objectives: Objectives = ("val_bpd",)
    training: Training = Training()
    budget: Budget
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
            raise PydanticCustomError(ACROSS_KEYS, "leaves nothing to search: give an entry a range or choices")
        return hyperparameters

    @field_validator("objectives")
    @classmethod
    def _not_settled(cls, objectives: tuple[Objective, ...], info: ValidationInfo) -> tuple[Objective, ...]:
        hyperparameters = info.data.get("hyperparameters")
        if "latent_dim" in objectives and hyperparameters and "latent_dim" in hyperparameters.fixed():
            raise PydanticCustomError(
                ACROSS_KEYS, "name latent_dim, which is fixed: give hyperparameters.latent_dim a range or choices"
            )
        return objectives

    @field_validator("sampler")
    @classmethod
    def _of_many_objectives(cls, sampler: Sampler, info: ValidationInfo) -> Sampler:
        # A learning curve tells of one score.
        several = len(info.data.get("objectives", ())) > 1
        return Sampler(name="tpe") if several and sampler.name == "curves" else sampler

    @field_validator("pruner")
    @classmethod
    def _off_for_two_objectives(cls, pruner: Pruner, info: ValidationInfo) -> Pruner:
        # Optuna's pruners know one score, and what is bad by that one may still lie on the Pareto front.
        return Pruner(name="none") if len(info.data.get("objectives", ())) > 1 else pruner

    @field_validator("confirmation")
    @classmethod
    def _of_one_objective(cls, confirmation: Confirmation, info: ValidationInfo) -> Confirmation:
        # Which are the best of a front is nobody's but the reader's to say.
        return Confirmation(top=0) if len(info.data.get("objectives", ())) > 1 else confirmation
