"""Paths of a study as it is written for other programs that show trainings: trackers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Tracker = Literal["tensorboard", "mlflow", "wandb-offline"]

# TensorBoard reads files with `tfevents` in their names.
_EVENTS = "events.out.tfevents.0"


@dataclass(frozen=True)
class TrackerPaths:
    """A study for one tracker. The tracker names the files that are not listed here."""

    folder: Path

    @property
    def origin(self) -> Path:
        """Mark of a folder that may be replaced, with the name of the study."""
        return self.folder / ".written_by_hpo"

    @property
    def mlflow_database(self) -> Path:
        """MLflow's store; `mlflow server` looks for a file of this name in the folder where it starts."""
        return self.folder / "mlflow.db"

    def mlflow_artifacts(self, study_name: str, run_id: str) -> Path:
        """Return the folder of a run's pictures; `mlflow server` looks for them in the folder where it starts."""
        return self.folder / "mlartifacts" / study_name / run_id / "artifacts"

    @property
    def wandb_runs(self) -> Path:
        """Folder of the runs, which wandb names."""
        return self.folder / "wandb"

    @property
    def tensorboard_config(self) -> Path:
        """Names of the hyperparameters and scores that TensorBoard compares."""
        return self.folder / _EVENTS

    def tensorboard_events(self, trial_name: str) -> Path:
        """Return the file of a trial's events, alone in its folder, which TensorBoard calls a run."""
        return self.folder / trial_name / _EVENTS

    def all_files(self) -> tuple[Path, ...]:
        """Return every file that was written."""
        return tuple(sorted(path for path in self.folder.rglob("*") if path.is_file() and path != self.origin))
