"""Paths of a study's files, below `results/<study>/`."""

import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hpo.config.call_arguments import Location
from hpo.storage.paths.run_paths import RESULTS, RunPaths, TrialPaths
from hpo.storage.paths.tracker_paths import Tracker, TrackerPaths

_DATABASE = "study.db"


@dataclass(frozen=True)
class StudyPaths:
    """Files of one study on this machine.

    `location` is None for a study of this machine alone; else trials and files that machines share are there, and
    `folder` has what this machine draws. A worker of such a study trains in a temporary folder of its own.
    """

    folder: Path
    location: Location | None = None

    @classmethod
    def of(cls, study_name: str, location: Location | None = None) -> "StudyPaths":
        """Return the paths of a study by its name."""
        return cls(RESULTS / study_name, location)

    @property
    def address(self) -> str:
        """Place of the study, as messages name it."""
        return f"study {self.folder.name} in {self.location.shown}" if self.location else str(self.folder)

    @property
    def database(self) -> Path:
        """Optuna's storage: SQLite."""
        return self.folder / _DATABASE

    @property
    def artifacts(self) -> Path:
        """Folder of Optuna's artifact store."""
        return self.folder / "artifacts"

    @property
    def lock(self) -> Path:
        """Lock of the process that works on the study; beside the folder, which may be moved meanwhile."""
        return self.folder.with_name(f".{self.folder.name}.lock")

    @property
    def ppca_baseline(self) -> Path:
        """Validation scores of probabilistic PCA for each latent dimension."""
        return self.folder / "ppca.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of the trials' checkpoints."""
        return (self.scratch if self.location else self.folder) / "checkpoints"

    @property
    def scratch(self) -> Path:
        """Temporary folder of this process, for checkpoints that it brings from and to other machines."""
        return self.all_scratch / f"{self.folder.name}-{socket.gethostname()}-{os.getpid()}"

    @property
    def all_scratch(self) -> Path:
        """Folder of the temporary folders of a user's processes on this machine."""
        return Path(tempfile.gettempdir(), f"hpo-{os.getuid()}")

    def checkpoint(self, trial_number: int) -> Path:
        """Return the path of a trial's training state."""
        return self.checkpoints / f"trial_{trial_number:04d}.pt"

    def trial(self, trial_number: int) -> TrialPaths:
        """Return the paths of the files that a trial draws."""
        return TrialPaths(self.checkpoints / f"trial_{trial_number:04d}")

    @property
    def claims(self) -> Path:
        """Folder of the locks that workers of one study hold."""
        return self.folder / "claims"

    @property
    def claiming_lock(self) -> Path:
        """Lock of a worker while it claims or releases a trial."""
        return self.claims / "next.lock"

    @property
    def overview_lock(self) -> Path:
        """Lock of a process while it writes the study's overview in the dashboard."""
        return self.claims / "page.lock"

    def claim(self, trial_number: int) -> Path:
        """Return the lock that a trial's worker holds; the file stays behind only if that worker died."""
        return self.claims / f"trial_{trial_number:04d}.lock"

    def trial_claims(self) -> list[Path]:
        """Return the existing claims of trials, of live workers and of dead ones."""
        return sorted(self.claims.glob("trial_*.lock"))

    @property
    def errors(self) -> Path:
        """Log of unforeseen errors, with tracebacks."""
        return self.folder / "errors.log"

    @property
    def report(self) -> Path:
        """The study's report: one HTML page."""
        return self.folder / "report" / "index.html"

    @property
    def export(self) -> "ExportPaths":
        """The study as tables."""
        return ExportPaths(self.folder / "export")

    @property
    def best(self) -> RunPaths:
        """The retrained model."""
        return RunPaths(self.folder / "best")


@dataclass(frozen=True)
class ExportPaths:
    """A study as tables, each as text and as a data frame."""

    folder: Path

    @property
    def trials_csv(self) -> Path:
        """Table with one row per trial."""
        return self.folder / "trials.csv"

    @property
    def trials_parquet(self) -> Path:
        """The same table as a data frame."""
        return self.folder / "trials.parquet"

    @property
    def epochs_csv(self) -> Path:
        """Table with one row per report of a trial."""
        return self.folder / "epochs.csv"

    @property
    def epochs_parquet(self) -> Path:
        """The same table as a data frame."""
        return self.folder / "epochs.parquet"

    def all_files(self) -> tuple[Path, ...]:
        """Return the paths of all of them."""
        return self.trials_csv, self.trials_parquet, self.epochs_csv, self.epochs_parquet

    def tracker(self, name: Tracker) -> TrackerPaths:
        """Return the paths of the study for a tracker."""
        return TrackerPaths(self.folder / name)


def study_names() -> list[str]:
    """Return the names of the studies in `results/` of the current folder."""
    return sorted(database.parent.name for database in RESULTS.glob(f"*/{_DATABASE}"))
