"""StudyConfig: one YAML file becomes one frozen, validated object, or one message with every fault in it."""

from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from hpo.paths import RESERVED
from model.config import CHANNELS, Architecture, Reconstruction, Schedule, Source, TrainConfig

TUTORIAL = TrainConfig()
T = TypeVar("T")
# The kind of fault that lies in what is not there, so that no value is to be shown with it.
ACROSS_KEYS = "across_keys"


class StrictModel(BaseModel):
    """Refuses unknown keys, values of another kind, and changes."""

    # Defaults are validated too: rules across keys must hold for what was left out. All rules are on fields, since one
    # on a whole mapping would not be looked at where any of its keys is at fault.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True)


class Range(StrictModel, Generic[T]):
    """Any value from low to high, both included; on a log scale where `log` is true."""

    log: bool = False
    low: T
    high: T

    @field_validator("low")
    @classmethod
    def _positive_on_a_log_scale(cls, low: Any, info: ValidationInfo) -> Any:
        if info.data.get("log") and low <= 0:
            raise PydanticCustomError("range", "must be > 0 on a log scale")
        return low

    @field_validator("high")
    @classmethod
    def _above_low(cls, high: Any, info: ValidationInfo) -> Any:
        low = info.data.get("low")
        if low is not None and high <= low:
            raise PydanticCustomError("range", "must be greater than low ({low})", {"low": low})
        return high


class Choices(StrictModel, Generic[T]):
    """One of the values listed."""

    choices: Annotated[tuple[T, ...], Field(min_length=1)]

    @field_validator("choices")
    @classmethod
    def _without_repetition(cls, choices: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(choices)) < len(choices):
            raise PydanticCustomError("choices", "must not repeat a value")
        return choices


def _kind(entry: object) -> str:
    """Tells how an entry is written, so that its faults are told in those terms alone."""
    if isinstance(entry, Choices) or (isinstance(entry, dict) and "choices" in entry):
        return "<choices>"
    return "<range>" if isinstance(entry, dict | Range) else "<value>"


def _kind_of_category(entry: object) -> str:
    """The same for an entry that cannot be a range."""
    return "<choices>" if isinstance(entry, dict | Choices) else "<value>"


_VALUE, _RANGE, _CHOICES = Tag("<value>"), Tag("<range>"), Tag("<choices>")
_BY_KIND = Discriminator(_kind)

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Decay = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
LatentDim = Annotated[int, Field(ge=1, le=3072)]
BatchSize = Annotated[int, Field(ge=2, le=8192)]

NonNegativeEntry = Annotated[
    Annotated[NonNegative, _VALUE] | Annotated[Range[NonNegative], _RANGE] | Annotated[Choices[NonNegative], _CHOICES],
    _BY_KIND,
]
PositiveEntry = Annotated[
    Annotated[Positive, _VALUE] | Annotated[Range[Positive], _RANGE] | Annotated[Choices[Positive], _CHOICES],
    _BY_KIND,
]
DecayEntry = Annotated[
    Annotated[Decay, _VALUE] | Annotated[Range[Decay], _RANGE] | Annotated[Choices[Decay], _CHOICES],
    _BY_KIND,
]
LatentDimEntry = Annotated[
    Annotated[LatentDim, _VALUE] | Annotated[Range[LatentDim], _RANGE] | Annotated[Choices[LatentDim], _CHOICES],
    _BY_KIND,
]
BatchSizeEntry = Annotated[
    Annotated[BatchSize, _VALUE] | Annotated[Range[BatchSize], _RANGE] | Annotated[Choices[BatchSize], _CHOICES],
    _BY_KIND,
]
ScheduleEntry = Annotated[
    Annotated[Schedule, _VALUE] | Annotated[Choices[Schedule], _CHOICES], Discriminator(_kind_of_category)
]
ReconstructionEntry = Annotated[
    Annotated[Reconstruction, _VALUE] | Annotated[Choices[Reconstruction], _CHOICES], Discriminator(_kind_of_category)
]


class Hyperparameters(StrictModel):
    """Each a value, a range `{low, high, log}` or `{choices: [...]}`; what is left out has the tutorial's value."""

    beta: NonNegativeEntry = TUTORIAL.beta
    latent_dim: LatentDimEntry = TUTORIAL.latent_dim
    learning_rate: PositiveEntry = TUTORIAL.learning_rate
    batch_size: BatchSizeEntry = TUTORIAL.batch_size
    schedule: ScheduleEntry = TUTORIAL.schedule
    warmup_epochs: NonNegativeEntry = TUTORIAL.warmup_epochs
    max_grad_norm: PositiveEntry = TUTORIAL.max_grad_norm
    reconstruction: ReconstructionEntry = TUTORIAL.reconstruction
    adam_beta2: DecayEntry = TUTORIAL.adam_beta2

    def entries(self) -> dict[str, Any]:
        """Every hyperparameter by name: a plain value, a Range or Choices."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def pinned(self) -> dict[str, Any]:
        """Those with a plain value, by name."""
        return {name: entry for name, entry in self.entries().items() if not isinstance(entry, Range | Choices)}

    def largest(self, name: str) -> Any:
        """The largest value that a numeric hyperparameter can take."""
        entry = self.entries()[name]
        if isinstance(entry, Range):
            return entry.high
        return max(entry.choices) if isinstance(entry, Choices) else entry


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


class Pruner(StrictModel):
    """`median` stops a trial whose best score so far is worse than the median of the others at the same point."""

    name: Literal["median", "none"] = "median"
    startup_trials: Annotated[int, Field(ge=1)] = 3
    warmup_epochs: NonNegative = 1.0


def _number_or_word(interval: object) -> str:
    return "<word>" if isinstance(interval, str) else "<value>"


Interval = int | Literal["log"]
FrameInterval = Annotated[
    Annotated[int, Field(ge=1), _VALUE] | Annotated[Literal["log"], Tag("<word>")], Discriminator(_number_or_word)
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
    if name in RESERVED:
        taken = " and ".join(f"results/{other}" for other in RESERVED)
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
    training: Training = Training()
    budget: Budget
    pruner: Pruner = Pruner()
    retrain: Retrain = Retrain()

    @field_validator("hyperparameters")
    @classmethod
    def _something_is_searched(cls, hyperparameters: Hyperparameters) -> Hyperparameters:
        if not any(isinstance(entry, Range | Choices) for entry in hyperparameters.entries().values()):
            raise PydanticCustomError(ACROSS_KEYS, "leaves nothing to search: give an entry a range or choices")
        return hyperparameters
