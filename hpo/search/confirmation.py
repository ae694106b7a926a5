"""Confirmation of the best configurations with new seeds."""

from collections.abc import Sequence

from hpo.config.schema import Confirmation
from hpo.search.configurations import Configuration


def unconfirmed(known: Sequence[Configuration], confirmation: Confirmation) -> list[tuple[Configuration, int]]:
    """The best that lack new seeds, and how many, the best first."""
    finished = sorted((one.value, one.number, one) for one in known if one.value is not None)
    best = [one for _, _, one in finished[: confirmation.top]]
    lacking = [(one, confirmation.seeds - len(one.confirmations)) for one in best]
    return [(one, n) for one, n in lacking if n > 0]
