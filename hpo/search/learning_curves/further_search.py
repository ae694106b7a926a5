"""Further search: what more configurations are expected to bring.

Legend: F features of a configuration, M configurations, S samples of their final scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from hpo.config.schema import StudyConfig
from hpo.search.configurations import Configuration
from hpo.search.search_space_transform import Array

# `status` of a study without scores needs no SciPy.
if TYPE_CHECKING:
    from hpo.search.learning_curve_gp import LearningCurveGP

# Half of the samples choose the configurations, the other half tell what these bring.
_N_SAMPLES = 2000
# More would take seconds, and hardly bring more.
_MAX_NEW = 100
# Bits per dimension: a search that is expected to bring less may end. In 8 of 32 replays (benchmarks/search/gain.py),
# less was expected of twice as many configurations, and these brought 0.0003 on average and never more than 0.001.
SMALL_GAIN = 0.003
# Configurations that a prediction needs: with 8, an earlier version of the process expected 0.026, and got 0.061.
_FEWEST = 16


@dataclass(frozen=True)
class FurtherSearch:
    """A further search of `minutes`, and what is expected of it.

    These are `n_configurations` more configurations, and a best score that is lower by `gain` bits per dimension.
    """

    minutes: float
    n_configurations: int
    gain: float


@runtime_checkable
class GainPredictor(Protocol):
    """A sampler that predicts what further configurations bring."""

    def predict_gain(self, configurations: Sequence[Configuration], n_new: int) -> float | None:
        """Predict by how much `n_new` further configurations lower the best score; None if that cannot be told."""


def further_search(
    configurations: Sequence[Configuration], sampler: object, minutes: float, n_workers: int
) -> FurtherSearch | None:
    """Predict what a further search brings, with the seconds that the study's configurations have taken on average.

    Args:
        configurations: the study's configurations so far.
        sampler: the study's sampler.
        minutes: duration of the further search.
        n_workers: workers that search.

    Returns: None for a sampler that does not predict, and while few configurations have scores or none has finished.
    """
    seconds = [found for configuration in configurations if (found := _seconds_of(configuration)) is not None]
    n_scored = sum(bool(configuration.scores) for configuration in configurations)
    if not seconds or n_scored < _FEWEST or not isinstance(sampler, GainPredictor):
        return None
    n_new = max(1, round(60 * minutes * n_workers / mean(seconds)))
    gain = sampler.predict_gain(configurations, n_new)
    return None if gain is None else FurtherSearch(minutes, n_new, gain)


def is_settled(configurations: Sequence[Configuration], config: StudyConfig, sampler: object, n_workers: int) -> bool:
    """Return True if the study has a patience, and so many further minutes are expected to bring little.

    Args:
        configurations: the study's configurations so far.
        config: the study's file.
        sampler: the study's sampler.
        n_workers: workers that search.
    """
    patience = config.budget.patience
    further = None if patience is None else further_search(configurations, sampler, patience, n_workers)
    return further is not None and further.gain < SMALL_GAIN


def expected_gain(
    gp: "LearningCurveGP", points_MF: Array, best: int, n_new: int, generator: np.random.Generator
) -> float:
    """Compute by how much the best final score falls, in bits per dimension, once `n_new` final scores are known.

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
    choosing_SM, telling_SM = np.array_split(samples_SM, 2)
    lowest_S, told_S = choosing_SM[:, best], telling_SM[:, best]
    for _ in range(min(n_new, _MAX_NEW)):
        gains_M = np.maximum(lowest_S[:, None] - choosing_SM, 0).mean(0)
        chosen = int(gains_M.argmax())
        lowest_S = np.minimum(lowest_S, choosing_SM[:, chosen])
        told_S = np.minimum(told_S, telling_SM[:, chosen])
    return float((telling_SM[:, best] - told_S).mean())


def _seconds_of(configuration: Configuration) -> float | None:
    """Return the seconds of training so far; None before the first trial has ended."""
    elapsed = [trial.user_attrs.get("elapsed_s") for trial in configuration.trials]
    return max((seconds for seconds in elapsed if seconds is not None), default=None)
