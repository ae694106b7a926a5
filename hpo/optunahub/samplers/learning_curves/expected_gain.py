"""Expected gain: by how much further configurations lower the best score.

Legend: F features of a configuration, M configurations, S samples of their final scores.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .search_space_transform import Array, RangeEnd, SearchSpaceTransform

# SciPy is imported where a process is fitted.
if TYPE_CHECKING:
    from .learning_curve_gp import LearningCurveGP

# Half of the samples choose the configurations, the other half measure what these bring.
_N_SAMPLES = 2000
# More would take seconds, and hardly bring more.
_MAX_NEW = 100
# Share of its width by which a range is widened at one end: the process knows little of values farther from all scores.
WIDER_BY = 0.25


@dataclass(frozen=True)
class WiderRange:
    """A range that goes on beyond one end.

    As many configurations there as a further search makes are expected to lower the best score by `gain`.
    """

    end: RangeEnd
    gain: float


def expected_gain(
    gp: "LearningCurveGP", points_MF: Array, best: int, n_new: int, generator: np.random.Generator
) -> float:
    """Compute by how much the best final score falls once `n_new` final scores are known.

    With f the final scores of configurations and b the best finished one, this is

        E[f_b - min(f_b, f_1, ..., f_n)]

    for the n configurations for which it is largest. They are chosen one after another, which comes close (Wilson,
    Hutter & Deisenroth 2018, arXiv 1805.10196).

    Args:
        gp: process fitted to the study's scores.
        points_MF: configurations among which is chosen: paused ones, which can be continued, and new ones.
        best: index of the best finished configuration.
        n_new: n.
        generator: source of the samples.
    """
    samples_SM = gp.unstandardize(gp.sample_final(points_MF, _N_SAMPLES, generator))
    choosing_SM, measuring_SM = np.array_split(samples_SM, 2)
    lowest_S, measured_S = choosing_SM[:, best], measuring_SM[:, best]
    for _ in range(min(n_new, _MAX_NEW)):
        gains_M = np.maximum(lowest_S[:, None] - choosing_SM, 0).mean(0)
        chosen = int(gains_M.argmax())
        lowest_S = np.minimum(lowest_S, choosing_SM[:, chosen])
        measured_S = np.minimum(measured_S, measuring_SM[:, chosen])
    return float((measuring_SM[:, best] - measured_S).mean())


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
