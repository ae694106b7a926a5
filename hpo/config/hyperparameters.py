"""Section `hyperparameters:` of a study file, made from TrainConfig: each entry is a value, a range or choices."""

from typing import Annotated, Any, Generic, Literal, TypeVar, get_origin

from pydantic import Discriminator, Field, Tag, ValidationInfo, create_model, field_validator
from pydantic_core import PydanticCustomError

from hpo.config.strict_model import StrictModel
from model.config import SETTINGS, Setting, TrainConfig

TUTORIAL = TrainConfig()
T = TypeVar("T")


class Range(StrictModel, Generic[T]):
    """Any value from low to high, both included."""

    log: bool = Field(default=False, description="Search on a log scale; then low must be > 0.")
    low: T = Field(description="Smallest value, included.")
    high: T = Field(description="Largest value, included.")

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
    """Any of the listed values."""

    choices: tuple[T, ...] = Field(min_length=1, description="Values to choose from, without low and high beside it.")

    @field_validator("choices")
    @classmethod
    def _without_repetition(cls, choices: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(choices)) < len(choices):
            raise PydanticCustomError("choices", "must not repeat a value")
        return choices


def _kind(entry: object) -> str:
    """Return the tag of the form in which an entry is written, so that faults are reported for this form alone."""
    if isinstance(entry, Choices) or (isinstance(entry, dict) and "choices" in entry):
        return "<choices>"
    return "<range>" if isinstance(entry, dict | Range) else "<value>"


def _kind_of_category(entry: object) -> str:
    """Return the tag of the form of an entry that cannot be a range."""
    return "<choices>" if isinstance(entry, dict | Choices) else "<value>"


def _entry_type(setting: Setting) -> Any:
    """Return the type of a hyperparameter's entry: a value, `{choices: [...]}` or, for numbers, `{low, high, log}`."""
    value: Any = Annotated[setting.type, Field(**setting.bounds)] if setting.bounds else setting.type
    forms: Any = Annotated[value, Tag("<value>")] | Annotated[Choices[value], Tag("<choices>")]
    if setting.type is bool or get_origin(setting.type) is Literal:
        return Annotated[forms, Discriminator(_kind_of_category)]
    return Annotated[forms | Annotated[Range[value], Tag("<range>")], Discriminator(_kind)]


_ENTRIES: dict[str, Any] = {
    setting.name: (_entry_type(setting), Field(default=setting.default, description=setting.description))
    for setting in SETTINGS.values()
    if setting.searchable
}
_Entries: Any = create_model("_Entries", __base__=StrictModel, **_ENTRIES)


class Hyperparameters(_Entries):  # type: ignore[misc]
    """Settings of the training, each of them a value, a range `{low, high, log}` or `{choices: [...]}`.

    The fields are those of TrainConfig that are declared searchable. A key that is left out has the default of
    TrainConfig.
    """

    def entries(self) -> dict[str, Any]:
        """Return every hyperparameter by name: a plain value, a Range or Choices."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def fixed(self) -> dict[str, Any]:
        """Return the hyperparameters that are not searched, with their values."""
        return {name: entry for name, entry in self.entries().items() if not isinstance(entry, Range | Choices)}

    def largest(self, name: str) -> Any:
        """Return the largest value that a numeric hyperparameter can take."""
        entry = self.entries()[name]
        if isinstance(entry, Range):
            return entry.high
        return max(entry.choices) if isinstance(entry, Choices) else entry
