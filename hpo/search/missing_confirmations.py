"""Confirmation of the best configurations with new seeds."""

from collections.abc import Sequence

from hpo.config.schema import Confirmation
from hpo.search.configurations import Configuration


def missing_confirmations(
    configurations: Sequence[Configuration], confirmation: Confirmation
) -> list[tuple[Configuration, int]]:
    """Return the best finished configurations that lack new seeds, the best first, each with the number of seeds."""
    finished = sorted(
        (configuration.value, configuration.number, configuration)
        for configuration in configurations
        if configuration.value is not None
    )
    best = [configuration for *_, configuration in finished[: confirmation.top]]
    missing = [(configuration, confirmation.seeds - len(configuration.confirmations)) for configuration in best]
    return [(configuration, n_seeds) for configuration, n_seeds in missing if n_seeds > 0]
