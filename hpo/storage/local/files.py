"""Checkpoints and artifacts of a study in its folder."""

import contextlib
import os
import shutil
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from optuna.artifacts import FileSystemArtifactStore
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from hpo.config.schema import Pruner
from hpo.storage import checkpoints
from hpo.storage.database import report_score
from hpo.storage.interface import StoredFile
from hpo.storage.paths import StudyPaths
from model.atomic_files import replacing


class AtomicFileStore(FileSystemArtifactStore):
    """Optuna's artifact store in a folder, without partial files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write a temporary file, then rename it; replaces an existing file."""
        with replacing(self._folder / artifact_id) as temporary, temporary.open("wb") as file:
            shutil.copyfileobj(content_body, file)


@dataclass(frozen=True)
class LocalFiles:
    """Files of one study, in its folder."""

    paths: StudyPaths

    def restore(self, trial: Trial) -> None:
        """Do nothing: the checkpoint is here."""

    def inherit(self, study: Study, paused: int, continuing: int) -> None:
        """Give the trial `continuing` the checkpoint and the recorded frames of the trial `paused`."""
        checkpoints.inherit_checkpoint(self.paths, paused, continuing)

    def report(self, trial: Trial, val_bpd: float, step: int, *, has_new_checkpoint: bool) -> None:
        """Store a trial's score at a report point."""
        report_score(trial, val_bpd, step)

    def settle(self, trial: Trial) -> None:
        """Do nothing: `report` has stored them."""

    def has_checkpoint(self, trial: FrozenTrial) -> bool:
        """Return True if the checkpoint has a start and an end; its content is checked when it is loaded."""
        return zipfile.is_zipfile(self.paths.checkpoint(trial.number))

    def remove_unneeded(self, study: Study, n_best: int, pruner: Pruner) -> int:
        """Remove unneeded checkpoints, and the frames of trials that are not resumable."""
        return checkpoints.remove_unneeded_checkpoints(study, self.paths, n_best, pruner)

    def clean(self, study: Study, n_best: int, pruner: Pruner) -> int:
        """Do the same, and remove partial files of killed processes."""
        return checkpoints.clean_checkpoints(study, self.paths, n_best, pruner)

    def artifact_store(self) -> AtomicFileStore:
        """Return the artifact store; its folder is created with the first file."""
        return AtomicFileStore(self.paths.artifacts)

    def artifact_names(self) -> frozenset[str]:
        """Return the names of all files in the artifact store."""
        return frozenset(os.listdir(self.paths.artifacts)) if self.paths.artifacts.is_dir() else frozenset()

    def artifact_path(self, name: str) -> Path:
        """Return the path of a file of the artifact store."""
        return self.paths.artifacts / name

    def is_shared(self, file: Path) -> bool:
        """Return True: the file is here."""
        return True

    def share(self, file: Path) -> None:
        """Do nothing: the file is here."""

    def fetch(self, file: Path) -> None:
        """Do nothing: the file is here, or nowhere."""

    def stored_artifacts(self) -> list[StoredFile]:
        """Return the files of the artifact store, those of interrupted uploads included."""
        found = []
        for file in self.paths.artifacts.glob("*"):
            # The dashboard may remove it meanwhile.
            with contextlib.suppress(FileNotFoundError):
                status = file.stat()
                found.append(StoredFile(file.name, time.time() - status.st_mtime, status.st_size))
        return found

    def remove_artifact(self, name: str) -> None:
        """Remove a file of the artifact store."""
        self.artifact_path(name).unlink(missing_ok=True)
