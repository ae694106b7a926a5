"""What judges of other kinds found, as benchmarks/results/search_judges.json holds it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.tables import RESULTS
from model.atomic_files import write_text

JUDGED = RESULTS / "search_judges.json"
# In full-length trainings: a search ends there if it has not reached the target.
LIMIT = 30.0


@dataclass(frozen=True)
class Judged:
    """A method before a judge: quartiles of the full-length trainings to the target, and of the regret after HORIZON.

    A repetition that did not reach the target counts LIMIT. Regrets are in bits per dimension.
    """

    judge: str
    method: str
    n_repetitions: int
    n_reached: int
    to_target: tuple[float, float, float]
    regret: tuple[float, float, float]


def write_judged(judged: Sequence[Judged]) -> None:
    """Replace the file."""
    write_text(JUDGED, json.dumps([asdict(each) for each in judged], indent=1) + "\n")


def read_judged() -> list[Judged]:
    """Return the file's content; empty without a file."""
    if not JUDGED.exists():
        return []
    return [Judged(**each) for each in json.loads(JUDGED.read_text())]
