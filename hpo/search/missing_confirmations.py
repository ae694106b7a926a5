"""Confirmation of the best configurations with new seeds."""

from collections.abc import Sequence

from hpo.config.schema import Confirmation
from hpo.search.configurations import Configuration

# Scores nearer to each other may change places with other seeds: the score of one seed deviates by 0.0066 from the mean
# of all (standard deviation, benchmarks/SEARCH.md), the difference of two by 0.009.
INDISTINCT = 0.02


def missing_confirmations(
    configurations: Sequence[Configuration], confirmation: Confirmation
) -> list[tuple[Configuration, int]]:
    """Return the contenders that lack new seeds, each with the number of seeds: those with the fewest first, then the
    best.
    """
    missing = [
        (configuration, confirmation.seeds - len(configuration.confirmations))
        for configuration in contenders(configurations, confirmation)
    ]
    return sorted(((found, n_seeds) for found, n_seeds in missing if n_seeds > 0), key=lambda pair: -pair[1])


def contenders(configurations: Sequence[Configuration], confirmation: Confirmation) -> list[Configuration]:
    """Return the finished configurations that are confirmed, the best first.

    They are the best `confirmation.top`, without those that are too far behind to be the best with other seeds. A
    configuration that has no rival is not confirmed, since this could not change the choice.
    """
    finished = sorted(
        (configuration.value, configuration.number, configuration)
        for configuration in configurations
        if configuration.value is not None
    )
    best = [configuration for *_, configuration in finished[: confirmation.top]]
    scores = [configuration.score for configuration in best]
    near = [each for each, score in zip(best, scores, strict=True) if score <= min(scores) + INDISTINCT]
    return near if len(near) > 1 or confirmation.top == 1 else []
