"""Further search: what more configurations are expected to bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Protocol, runtime_checkable

from hpo.config.schema import StudyConfig
from hpo.search.configurations import Configuration

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


def _seconds_of(configuration: Configuration) -> float | None:
    """Return the seconds of training so far; None before the first trial has ended."""
    elapsed = [trial.user_attrs.get("elapsed_s") for trial in configuration.trials]
    return max((seconds for seconds in elapsed if seconds is not None), default=None)
