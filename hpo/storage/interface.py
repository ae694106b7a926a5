"""Interface between a study and where it is kept: a database, claims on trials, and files.

`hpo.storage.local` keeps a study on one machine, `hpo.storage.cluster` on many. Nothing else knows which it is.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from optuna.artifacts._protocol import ArtifactStore
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial

from hpo.config.schema import Pruner
from hpo.search.scheduler import Step

# How the trial's former worker ended: it crashed, or has not been heard of for as long as a lease lives.
Loss = Literal["crashed", "lost"]


class Fenced(Exception):
    """Another worker has taken this worker's trial over, which is dropped."""


@dataclass(frozen=True)
class Claim:
    """A trial that no other worker takes until `release` is called; `loss` is None if no worker lost it before."""

    trial: Trial
    loss: Loss | None
    release: Callable[[], None]


class StudyDatabase(Protocol):
    """Trials and attributes of a study, as Optuna stores them."""

    def open_storage(self) -> BaseStorage:
        """Open the database as Optuna's storage."""

    def existing_study(self, name: str) -> Study | None:
        """Open a study; return None if it does not exist, or if its creation was interrupted.

        Raises: StudyError: its database cannot be used, or belongs to something else.
        """

    def create_study(
        self, name: str, directions: Sequence[StudyDirection], metrics: Sequence[str], attributes: Mapping[str, Any]
    ) -> Study:
        """Create a study that `existing_study` does not find, with user attributes, the last one the fingerprint.

        Returns: the study; that of another process, if one has created it meanwhile.

        Raises: StudyError: the database cannot be written.
        """

    def check_exists(self) -> None:
        """Raise StudyError if the database was removed while trials run."""

    def settle(self) -> None:
        """Write all that is pending, so that a copy of the database has every trial."""


class Claims(Protocol):
    """Claims of workers on trials, which ensure that each running trial has one worker."""

    def take_interrupted(self, study: Study) -> Claim | None:
        """Claim the first running trial that no live worker holds, under its own number."""

    def take_waiting(self, study: Study) -> Claim | None:
        """Claim the first trial that waits; None if none does."""

    def begin(self, study: Study, step: Step, limit: float) -> Claim | None:
        """Begin the trial of a step; None if there are `limit` trials like it by now, see `n_alike`."""

    def deciding(self, study: Study) -> AbstractContextManager[None]:
        """Let no other process add trials while the block runs."""

    def held(self, study: Study, trials: Collection[FrozenTrial]) -> set[int]:
        """Return the numbers of those of these trials that a live worker holds."""

    def state_of(self, study: Study) -> object:
        """Return a value that changes when there may be something new to do; None if looking again costs little."""

    def tuning(self) -> AbstractContextManager[None]:
        """Hold what one call of `tune` at a time can hold, if calls exclude each other. Raises: Busy: they do."""

    def is_tuned(self, study: Study) -> bool:
        """Return True while a process searches."""

    def clean(self, study: Study) -> None:
        """Remove claims of ended trials that killed workers left."""

    def worker_name(self, pid: int) -> str:
        """Return the name by which claims know a process of this machine."""

    def let_go(self, workers: Collection[str] = (), loss: Loss | None = None) -> None:
        """Let go of the claims of this process, or of workers that have ended; `loss` says how they ended."""


@dataclass(frozen=True)
class StoredFile:
    """A file of an artifact store."""

    name: str
    age_s: float
    n_bytes: int


class StudyFiles(Protocol):
    """Checkpoints and artifacts of a study."""

    def restore(self, trial: Trial) -> None:
        """Bring a trial's last checkpoint and its frames to this machine, if it has any."""

    def inherit(self, study: Study, paused: int, continuing: int) -> None:
        """Give the trial `continuing` the checkpoint and the recorded frames of the trial `paused`."""

    def report(self, trial: Trial, val_bpd: float, step: int, *, has_new_checkpoint: bool) -> None:
        """Store a trial's score at a report point, and the checkpoint on this machine if it was saved there.

        May return before it is stored; at most one report of a trial is behind.
        """

    def settle(self, trial: Trial) -> None:
        """Wait until all reports of a trial are stored. Raises: what `report` could not store raised."""

    def has_checkpoint(self, trial: FrozenTrial) -> bool:
        """Return True if a running trial can be resumed from a checkpoint."""

    def remove_unneeded(self, study: Study, n_best: int, pruner: Pruner) -> int:
        """Remove the checkpoints of ended trials that are neither resumable nor among the `n_best` best.

        Returns: number of bytes of the removed checkpoints.
        """

    def clean(self, study: Study, n_best: int, pruner: Pruner) -> int:
        """Do the same, and remove what killed processes left; return the number of bytes."""

    def artifact_store(self) -> "WritableStore":
        """Return Optuna's artifact store of the study."""

    def artifact_names(self) -> frozenset[str]:
        """Return the names of all files in the artifact store."""

    def artifact_path(self, name: str) -> Path:
        """Return the path of an existing file of the artifact store on this machine."""

    def stored_artifacts(self) -> list[StoredFile]:
        """Return the files of the artifact store, those of interrupted uploads included."""

    def remove_artifact(self, name: str) -> None:
        """Remove a file of the artifact store."""

    def is_shared(self, file: Path) -> bool:
        """Return True if other machines have a file of this name already."""

    def share(self, file: Path) -> None:
        """Let other machines have a file of the study's folder."""

    def fetch(self, file: Path) -> None:
        """Bring a file of the study's folder that another machine shares to this one, if there is any."""


class WritableStore(ArtifactStore, Protocol):
    """An artifact store of Optuna; a file that is there is replaced."""

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file for reading. Raises: ArtifactNotFound: there is none of this name."""

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write or replace a file; no reader sees a part of it."""


@dataclass(frozen=True)
class Backend:
    """Parts of the place where a study is kept."""

    database: StudyDatabase
    claims: Claims
    files: StudyFiles
