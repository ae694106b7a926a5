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
    """Return the configurations to confirm and how many new seeds each lacks.

    Those that lack most come first, and of equals the best.
    """
    missing = [
        (configuration, confirmation.seeds - configuration.n_confirmations)
        for configuration in to_confirm(configurations, confirmation)
    ]
    return sorted(((found, n_seeds) for found, n_seeds in missing if n_seeds > 0), key=lambda pair: -pair[1])


def to_confirm(configurations: Sequence[Configuration], confirmation: Confirmation) -> list[Configuration]:
    """Return the finished configurations that are confirmed, the best first, `confirmation.top` at most.

    Those whose score is too high to become the best with other seeds are left out. If this leaves only one, it is not
    confirmed either, since that could not change the choice, unless `confirmation.top` is 1.
    """
    finished = [configuration for configuration in configurations if configuration.value is not None]
    ranked = sorted(finished, key=lambda configuration: (configuration.score, configuration.number))
    near = [configuration for configuration in ranked if configuration.score <= ranked[0].score + INDISTINCT]
    return near[: confirmation.top] if len(near) > 1 or confirmation.top == 1 else []
