"""What a free worker does next: promote, begin, bring to an end, confirm, wait, or leave."""

from collections.abc import Sequence

from hpo.config.schema import Confirmation
from hpo.search.configurations import CONFIRMS, UNSTOPPED, Configuration
from hpo.search.scheduler import Step


def next_confirmation(known: Sequence[Configuration], confirmation: Confirmation) -> Step | None:
    for one, _ in unconfirmed(known, confirmation):
        return Step("enqueue", one, ((CONFIRMS, one.number), (UNSTOPPED, True)))
    return None


def unconfirmed(known: Sequence[Configuration], confirmation: Confirmation) -> list[tuple[Configuration, int]]:
    """The best that lack new seeds, and how many, the best first."""
    finished = sorted((one.value, one.number, one) for one in known if one.value is not None)
    best = [one for _, _, one in finished[: confirmation.top]]
    lacking = [(one, confirmation.seeds - len(one.confirmations)) for one in best]
    return [(one, n) for one, n in lacking if n > 0]
