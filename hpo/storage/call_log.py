"""One call of `tune`, from the file to an open study: everything that can be wrong is found before it is written."""

from dataclasses import dataclass

# The study's attribute that holds a list of calls.
CALLS = "calls"


@dataclass(frozen=True)
class Call:
    """How `tune` was called, beyond the study's file: what its trials depend on where that is not in the file."""

    trials: int | None
    timeout_minutes: float | None
    workers: int
    device: str
