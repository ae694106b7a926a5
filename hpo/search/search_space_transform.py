"""Where learning curves are going: a Gaussian process over configurations and the share of training they have had.

A score is a curve shared by all, plus what belongs to the configuration, plus what of it comes and goes with training
(freeze-thaw: Swersky, Snoek & Adams 2014, there with an exponential kernel). So a few finished curves tell where the
many that were paused would have ended.
N scores, F features of a configuration, M configurations to be judged.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

Array = NDArray[np.float64]
Values = dict[str, Any]


class SearchSpaceTransform:
    """A search space as the unit cube: numbers on their scale, numeric choices by their order, others one by one."""

    def __init__(self, space: Mapping[str, BaseDistribution]) -> None:
        self._space = space
        self._ordered = {
            name: _choices(entry) for name, entry in space.items() if isinstance(entry, CategoricalDistribution)
        }
        self._widths = [
            1 if name not in self._ordered or _is_ordered(entry) else len(self._ordered[name])
            for name, entry in space.items()
        ]

    @property
    def n_features(self) -> int:
        """F."""
        return sum(self._widths)

    def features(self, values: Values) -> Array:
        """Of one configuration, shape (F,)."""
        return np.concatenate([self._encode(name, values[name]) for name in self._space])

    def values(self, point_F: Array) -> Values:
        """The configuration nearest to a point, whatever lies outside taken to the border."""
        parts = np.split(point_F.clip(0, 1), np.cumsum(self._widths)[:-1])
        return {name: self._decode(name, part) for name, part in zip(self._space, parts, strict=True)}

    def _encode(self, name: str, value: Any) -> Array:
        if name not in self._ordered:
            low, high, scaled = (_scale(self._space[name], one) for one in (*_bounds(self._space[name]), value))
            return np.array([(scaled - low) / (high - low)])
        place = self._ordered[name].index(value)
        if _is_ordered(self._space[name]):
            return np.array([place / max(1, len(self._ordered[name]) - 1)])
        return np.asarray(np.eye(len(self._ordered[name]))[place])

    def _decode(self, name: str, part: Array) -> Any:
        entry = self._space[name]
        if name in self._ordered:
            choices = self._ordered[name]
            return choices[round(part[0] * (len(choices) - 1)) if _is_ordered(entry) else int(part.argmax())]
        low, high = _bounds(entry)
        scaled = _scale(entry, low) + part[0] * (_scale(entry, high) - _scale(entry, low))
        value = min(max(math.exp(scaled) if getattr(entry, "log", False) else scaled, low), high)
        return round(value) if isinstance(entry, IntDistribution) else float(value)


def _is_ordered(entry: BaseDistribution) -> bool:
    return isinstance(entry, CategoricalDistribution) and all(
        isinstance(choice, int | float) and not isinstance(choice, bool) for choice in entry.choices
    )


def _choices(entry: CategoricalDistribution) -> list[Any]:
    choices: list[Any] = list(entry.choices)
    return sorted(choices) if _is_ordered(entry) else choices


def _bounds(entry: BaseDistribution) -> tuple[float, float]:
    assert isinstance(entry, FloatDistribution | IntDistribution)
    return entry.low, entry.high


def _scale(entry: BaseDistribution, value: float) -> float:
    return math.log(value) if getattr(entry, "log", False) else float(value)
