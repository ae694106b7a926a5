"""Entries of a study's `hyperparameters:`: each a value, a range or a choice, and the mapping of them all."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from hpo.config.strict_model import StrictModel
from model.config import Reconstruction, Schedule, TrainConfig

TUTORIAL = TrainConfig()
T = TypeVar("T")


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
