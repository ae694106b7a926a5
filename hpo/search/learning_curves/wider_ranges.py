"""Gain that is expected of a wider range of a hyperparameter.

Legend: F features of a configuration, M configurations.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from hpo.search.configurations import Configuration
from hpo.search.learning_curves.further_search import SMALL_GAIN, FurtherSearch, expected_gain
from hpo.search.search_space_transform import Array, RangeEnd
from model.config import SETTINGS

# `status` of a study without scores needs no SciPy.
if TYPE_CHECKING:
    from hpo.search.learning_curve_gp import LearningCurveGP

# By so great a share of its width a range is imagined to be wider at one end. The process knows little of values that
# are farther from all scores.
WIDER_BY = 0.25
# A best value that is so near to the end of its range, in the unit cube, lies at its edge.
_EDGE = 0.02
_ALLOWS = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}


@dataclass(frozen=True)
class WiderRange:
    """A range of `name` that goes on to `value`, beyond its present end.

    As many configurations between that end and `value` as a further search makes are expected to lower the best score
    by `gain` bits per dimension. `is_upper` tells which end it is, `is_at_edge` that the best value lies there.
    """

    name: str
    value: float
    is_upper: bool
    gain: float
    is_at_edge: bool


@runtime_checkable
class RangePredictor(Protocol):
    """A sampler that predicts what configurations beyond the ranges bring."""

    def predict_wider(self, configurations: Sequence[Configuration], n_new: int) -> list[WiderRange]:
        """Predict what `n_new` configurations beyond each end of each range bring."""


def wider_ranges(
    configurations: Sequence[Configuration], sampler: object, further: FurtherSearch | None
) -> list[WiderRange]:
    """Return the wider ranges that are worth telling of.

    They are those at whose end the best value lies, and those that are expected to bring more than the further search
    does within the ranges, and no less than SMALL_GAIN. The hyperparameter's own bounds admit their values.
    """
    if further is None or not isinstance(sampler, RangePredictor):
        return []
    ranges = sampler.predict_wider(configurations, further.n_configurations)
    return [
        wider
        for wider in ranges
        if _is_admitted(wider) and (wider.is_at_edge or wider.gain >= max(SMALL_GAIN, further.gain))
    ]


def gain_beyond(
    gp: "LearningCurveGP",
    ends: Sequence[RangeEnd],
    points_MF: Array,
    best_F: Array,
    n_new: int,
    generator: np.random.Generator,
) -> list[WiderRange]:
    """Compute what `n_new` configurations beyond each end are expected to bring.

    Args:
        gp: process fitted to the study's scores.
        ends: ends of ranges.
        points_MF: configurations within the ranges; beyond an end they differ in its hyperparameter alone.
        best_F: the best finished configuration.
        n_new: number of configurations.
        generator: source of the points and samples.
    """
    found = []
    for end in ends:
        beyond_M = generator.uniform(0, abs(end.beyond - end.coordinate), len(points_MF))
        beyond_MF = points_MF.copy()
        beyond_MF[:, end.column] = end.coordinate + np.sign(end.beyond - end.coordinate) * beyond_M
        gain = expected_gain(gp, np.vstack([best_F, beyond_MF]), 0, n_new, generator)
        is_at_edge = abs(float(best_F[end.column]) - end.coordinate) <= _EDGE
        found.append(WiderRange(end.name, end.value, end.coordinate == 1, gain, is_at_edge))
    return found


def _is_admitted(wider: WiderRange) -> bool:
    return all(_ALLOWS[bound](wider.value, limit) for bound, limit in SETTINGS[wider.name].bounds.items())
