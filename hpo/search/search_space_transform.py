"""Search space as a unit cube: transformation between hyperparameter values and features of a Gaussian process."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

Array = NDArray[np.float64]
Values = dict[str, Any]


@dataclass(frozen=True)
class RangeEnd:
    """An end of the range of `name`, whose feature is that in `column`: 0 or 1 there (`coordinate`).

    A wider range goes on to `beyond`, where the hyperparameter is `value`.
    """

    name: str
    column: int
    coordinate: float
    beyond: float
    value: float


class SearchSpaceTransform:
    """Map between values and points of the unit cube [0, 1]^F.

    A number v in [low, high] becomes (v - low) / (high - low), on a log scale with the logarithms of all three. The
    i-th smallest of n numeric choices becomes i / (n - 1), i = 0, 1, ... Other choices are encoded one-hot, with a
    feature for each.
    """

    def __init__(self, space: Mapping[str, BaseDistribution]) -> None:
        self._space = space
        self._choices = {
            name: _choices(entry) for name, entry in space.items() if isinstance(entry, CategoricalDistribution)
        }
        self._ends = {
            name: tuple(_scale(entry, end) for end in _bounds(entry))
            for name, entry in space.items()
            if name not in self._choices
        }
        self._widths = [
            1 if name not in self._choices or _is_numeric(entry) else len(self._choices[name])
            for name, entry in space.items()
        ]

    @property
    def n_features(self) -> int:
        """F, the dimension of the cube."""
        return sum(self._widths)

    def features(self, values: Values) -> Array:
        """Return the point of a configuration's values, shape (F,)."""
        return np.array([feature for name in self._space for feature in self._encode(name, values[name])])

    def values(self, point_F: Array) -> Values:
        """Return the values nearest to a point; coordinates outside of [0, 1] are clipped."""
        parts = np.split(point_F.clip(0, 1), np.cumsum(self._widths)[:-1])
        return {name: self._decode(name, part) for name, part in zip(self._space, parts, strict=True)}

    def ends_of_ranges(self, wider_by: float) -> list[RangeEnd]:
        """Return both ends of each range of numbers, with where it ends if `wider_by` of its width is added there."""
        columns = np.cumsum([0, *self._widths])
        return [
            end
            for name, column in zip(self._space, columns, strict=False)
            if name in self._ends
            for coordinate, beyond in ((0.0, -wider_by), (1.0, 1 + wider_by))
            if (end := self._end(name, int(column), coordinate, beyond)).beyond != coordinate
        ]

    def _end(self, name: str, column: int, coordinate: float, beyond: float) -> RangeEnd:
        entry, (low, high) = self._space[name], self._ends[name]
        scaled = low + beyond * (high - low)
        value = math.exp(scaled) if getattr(entry, "log", False) else scaled
        if isinstance(entry, IntDistribution):
            value = max(round(value), 1) if entry.log else round(value)
            beyond = (_scale(entry, value) - low) / (high - low)
        return RangeEnd(name, column, coordinate, beyond, value)

    def _encode(self, name: str, value: Any) -> list[float]:
        if name not in self._choices:
            low, high = self._ends[name]
            return [(_scale(self._space[name], value) - low) / (high - low)]
        index, n_choices = self._choices[name].index(value), len(self._choices[name])
        if _is_numeric(self._space[name]):
            return [index / max(1, n_choices - 1)]
        return [float(position == index) for position in range(n_choices)]

    def _decode(self, name: str, part: Array) -> Any:
        entry = self._space[name]
        if name in self._choices:
            choices = self._choices[name]
            return choices[round(part[0] * (len(choices) - 1)) if _is_numeric(entry) else int(part.argmax())]
        low, high = _bounds(entry)
        scaled = _scale(entry, low) + part[0] * (_scale(entry, high) - _scale(entry, low))
        value = min(max(math.exp(scaled) if getattr(entry, "log", False) else scaled, low), high)
        return round(value) if isinstance(entry, IntDistribution) else float(value)


def _is_numeric(entry: BaseDistribution) -> bool:
    return isinstance(entry, CategoricalDistribution) and all(
        isinstance(choice, int | float) and not isinstance(choice, bool) for choice in entry.choices
    )


def _choices(entry: CategoricalDistribution) -> list[Any]:
    choices: list[Any] = list(entry.choices)
    return sorted(choices) if _is_numeric(entry) else choices


def _bounds(entry: BaseDistribution) -> tuple[float, float]:
    assert isinstance(entry, FloatDistribution | IntDistribution)
    return entry.low, entry.high


def _scale(entry: BaseDistribution, value: float) -> float:
    return math.log(value) if getattr(entry, "log", False) else float(value)
