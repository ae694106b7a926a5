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
    """One end of the range of `name`: its `present` value, and the value to which a wider range goes on.

    `column` is the hyperparameter's feature.
    """

    name: str
    column: int
    is_upper: bool
    present: float
    value: float


class SearchSpaceTransform:
    """Map between values and points of the unit cube [0, 1]^F.

    A number v in [low, high] becomes (v - low) / (high - low), on a log scale with the logarithms of all three. The
    i-th smallest of n numeric choices becomes i / (n - 1), i = 0, 1, ... Other choices are encoded one-hot, with a
    feature for each. Of a range with a step, only its multiples are values.
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

    def ends_of_ranges(self, wider_by: float, bounds: Mapping[str, Mapping[str, float]]) -> list[RangeEnd]:
        """Return both ends of each range of numbers that can go on there.

        A wider range goes on by `wider_by` of the width, a range of whole numbers at least by one. It ends at the
        hyperparameter's own bound (`bounds`: `ge`, `le`), or halfway to one that it may not have (`gt`, `lt`).
        """
        columns = dict(zip(self._space, np.cumsum([0, *self._widths]).tolist(), strict=False))
        return [
            end
            for name in self._ends
            for is_upper in (False, True)
            if (end := self._end(name, columns[name], wider_by, is_upper, bounds.get(name, {})))
        ]

    def coordinates_beyond(self, end: RangeEnd, shares_M: Array) -> Array:
        """Return features beyond an end, (M,): at 0 the first new value, at 1 the end of the wider range."""
        entry, (low, high) = self._space[end.name], self._ends[end.name]
        first = end.present
        if isinstance(entry, IntDistribution):
            first += 1 if end.is_upper else -1
        scaled_M = _scale(entry, first) + shares_M * (_scale(entry, end.value) - _scale(entry, first))
        if isinstance(entry, IntDistribution):
            values_M = np.round(np.exp(scaled_M) if entry.log else scaled_M)
            scaled_M = np.log(values_M) if entry.log else values_M
        return np.asarray((scaled_M - low) / (high - low))

    def _end(
        self, name: str, column: int, wider_by: float, is_upper: bool, bounds: Mapping[str, float]
    ) -> RangeEnd | None:
        entry, (low, high) = self._space[name], self._ends[name]
        scaled = high + wider_by * (high - low) if is_upper else low - wider_by * (high - low)
        value = math.exp(scaled) if getattr(entry, "log", False) else scaled
        present = _bounds(entry)[is_upper]
        if isinstance(entry, IntDistribution):
            value = max(round(value), present + 1) if is_upper else min(round(value), present - 1)
        limit, excluded = (bounds.get("le"), bounds.get("lt")) if is_upper else (bounds.get("ge"), bounds.get("gt"))
        if limit is None and excluded is not None:
            limit = (present + excluded) / 2
        if limit is not None:
            value = min(value, limit) if is_upper else max(value, limit)
        return None if value == present else RangeEnd(name, column, is_upper, present, value)

    def _encode(self, name: str, value: Any) -> list[float]:
        if name not in self._choices:
            low, high = self._ends[name]
            return [(_scale(self._space[name], value) - low) / (high - low) if high > low else 0.0]
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
        if step := getattr(entry, "step", None):
            value = min(low + round((value - low) / step) * step, high)
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
