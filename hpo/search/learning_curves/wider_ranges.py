"""Expected gain of a wider range of a hyperparameter.

Legend: F features of a configuration, M configurations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from hpo.search.configurations import Configuration
from hpo.search.learning_curves.further_search import SMALL_GAIN, FurtherSearch, expected_gain
from hpo.search.search_space_transform import Array, RangeEnd, SearchSpaceTransform

# `status` of a study without scores needs no SciPy.
if TYPE_CHECKING:
    from hpo.search.learning_curve_gp import LearningCurveGP

# Share of its width by which a range is widened at one end: the process knows little of values farther from all scores.
WIDER_BY = 0.25


@dataclass(frozen=True)
class WiderRange:
    """A range that goes on beyond one end.

    As many configurations there as a further search makes are expected to lower the best score by `gain` bits per
    dimension.
    """

    end: RangeEnd
    gain: float


@runtime_checkable
class RangePredictor(Protocol):
    """A sampler that predicts what configurations beyond the ranges bring."""

    def predict_wider(self, configurations: Sequence[Configuration], n_new: int) -> Sequence[WiderRange]:
        """Predict what `n_new` configurations beyond each end of each range bring."""


def wider_ranges(
    configurations: Sequence[Configuration], sampler: object, further: FurtherSearch | None, edges: Mapping[str, str]
) -> list[WiderRange]:
    """Return the wider ranges that are worth showing.

    They are those at whose end the best value lies, and those that are expected to bring at least SMALL_GAIN more than
    the further search does within the ranges.

    Args:
        configurations: the study's configurations so far.
        sampler: the study's sampler.
        further: the further search within the ranges, if it can be predicted.
        edges: `lower` or `upper` for each hyperparameter whose best value lies at that end of its range.
    """
    if further is None or not isinstance(sampler, RangePredictor):
        return []
    ranges = sampler.predict_wider(configurations, further.n_configurations)
    return [
        wider
        for wider in ranges
        if edges.get(wider.end.name) == ("upper" if wider.end.is_upper else "lower")
        or wider.gain >= further.gain + SMALL_GAIN
    ]


def gain_beyond(
    gp: "LearningCurveGP",
    transform: SearchSpaceTransform,
    end: RangeEnd,
    points_MF: Array,
    best_F: Array,
    n_new: int,
    generator: np.random.Generator,
) -> WiderRange:
    """Compute what `n_new` configurations beyond an end are expected to bring.

    Args:
        gp: process fitted to the study's scores.
        transform: of the search space.
        end: an end of a range.
        points_MF: configurations within the ranges; beyond the end they differ in its hyperparameter alone.
        best_F: the best finished configuration.
        n_new: number of configurations.
        generator: source of the points and samples.
    """
    beyond_MF = points_MF.copy()
    beyond_MF[:, end.column] = transform.coordinates_beyond(end, generator.random(len(points_MF)))
    return WiderRange(end, expected_gain(gp, np.vstack([best_F, beyond_MF]), 0, n_new, generator))
