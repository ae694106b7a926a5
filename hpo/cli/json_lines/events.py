"""Events that commands print with `--json`. docs/scripts.md explains every field.

Fields may be added within a version of the schema; none is renamed or removed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.search.best_trial import BestTrial

SCHEMA = 1


@dataclass(frozen=True)
class Notice:
    """Message that a user should read."""

    text: str


@dataclass(frozen=True)
class Error:
    """Reason why the command stops, with its exit code."""

    message: str
    exit_code: int


@dataclass(frozen=True)
class SearchStarted:
    """Start of a call of `tune`."""

    study: str
    address: str
    epochs: int
    configurations: int | None
    minutes: float | None
    workers: int


@dataclass(frozen=True)
class TrialStarted:
    """Start of a trial, or its resumption after `epoch` > 0 epochs."""

    trial: int
    params: dict[str, Any]
    epoch: float
    continues: int | None
    confirms: int | None


@dataclass(frozen=True)
class TrialReported:
    """Report of a trial."""

    trial: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class TrialEnded:
    """End of a trial."""

    trial: int
    kind: str
    reason: str
    val_bpd: float | None


@dataclass(frozen=True)
class Best:
    """The best trial of a study."""

    trial: int
    val_bpd: float
    score: float
    confirmation_scores: tuple[float, ...]
    params: dict[str, Any]

    @classmethod
    def of(cls, best: "BestTrial | None") -> "Best | None":
        """Return the best trial as it is printed; None if there is none."""
        if best is None:
            return None
        return cls(best.number, best.val_bpd, best.score, best.confirmation_scores, dict(best.params))


@dataclass(frozen=True)
class SearchEnded:
    """End of a call of `tune`."""

    study: str
    trials: int
    best: Best | None
    report: Path
    next: str
    interrupted: bool


@dataclass(frozen=True)
class RunStarted:
    """Start of a training at full length."""

    folder: Path
    epochs: int
    study: str | None
    trial: int | None
    params: dict[str, Any]
    device: str


@dataclass(frozen=True)
class RunReported:
    """Epoch of a training at full length."""

    metrics: dict[str, float]


@dataclass(frozen=True)
class Drawing:
    """Start of a picture, an animation or the page."""

    name: str


@dataclass(frozen=True)
class RunEnded:
    """End of a training at full length."""

    folder: Path
    page: Path
    metrics: dict[str, Any]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class RunningTrial:
    """A trial that has started and not ended."""

    trial: int
    epoch: float
    has_worker: bool
    has_checkpoint: bool


@dataclass(frozen=True)
class Outlook:
    """Expected result of a further search."""

    minutes: float
    configurations: int
    gain_bpd: float


@dataclass(frozen=True)
class Status:
    """State of a study."""

    study: str
    address: str
    images: str
    configurations: int
    configurations_in_all: int | None
    trials: dict[str, int]
    waiting: int
    running: tuple[RunningTrial, ...]
    best: Best | None
    outlook: Outlook | None
    is_running: bool
    is_retrained: bool
    disk_bytes: int
    attention: tuple[str, ...]
    next: str


@dataclass(frozen=True)
class Exported:
    """Files that were written."""

    folder: Path
    files: tuple[Path, ...]


Event = (
    Notice
    | Error
    | SearchStarted
    | TrialStarted
    | TrialReported
    | TrialEnded
    | SearchEnded
    | RunStarted
    | RunReported
    | Drawing
    | RunEnded
    | Status
    | Exported
)
# Value of the key `event`.
EVENTS: dict[type[Event], str] = {
    Notice: "notice",
    Error: "error",
    SearchStarted: "search_started",
    TrialStarted: "trial_started",
    TrialReported: "trial_reported",
    TrialEnded: "trial_ended",
    SearchEnded: "search_ended",
    RunStarted: "run_started",
    RunReported: "run_reported",
    Drawing: "drawing",
    RunEnded: "run_ended",
    Status: "status",
    Exported: "exported",
}
