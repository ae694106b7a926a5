"""Wider ranges of hyperparameters that are worth showing."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from hpo.optunahub.samplers.learning_curves.expected_gain import WiderRange
from hpo.search.configurations import Configuration
from hpo.search.learning_curves.further_search import SMALL_GAIN, FurtherSearch


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
