"""Checkpoints and artifacts of a study in an object store that machines share.

A checkpoint is an object of its own at every report, which is never changed: its worker puts it, and then commits the
report together with the object's key, both beside the training. A trial whose worker has died goes on from the object
that was committed last.
"""

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from hpo.config.schema import Pruner
from hpo.storage.checkpoints import needed_checkpoints
from hpo.storage.cluster.fenced_storage import CHECKPOINT, FencedStorage, Report
from hpo.storage.cluster.objects.artifact_store import ARTIFACTS, ObjectArtifactStore
from hpo.storage.cluster.objects.background_calls import BackgroundCalls
from hpo.storage.cluster.objects.object_store import Objects
from hpo.storage.cluster.objects.packed_checkpoints import pack, unpack
from hpo.storage.database import know_report, report_score
from hpo.storage.interface import StoredFile
from hpo.storage.paths import StudyPaths
from model.atomic_files import replacing

_CHECKPOINTS, _SHARED = "checkpoints", "shared"
_TRIAL_NUMBER = re.compile(r"trial_(\d+)/")
# A checkpoint that no trial refers to may have been put by a worker that is about to commit its report.
_MAX_COMMIT_S = 3600


@dataclass(frozen=True)
class ClusterFiles:
    """Files of one study; `keys` are those of the checkpoints that this process's trials have, by trial id."""

    paths: StudyPaths
    storage: FencedStorage
    objects: Objects
    keys: dict[int, str] = field(default_factory=dict)
    _uploads: BackgroundCalls = field(default_factory=BackgroundCalls)

    def restore(self, trial: Trial) -> None:
        """Bring a trial's last checkpoint and its frames to this machine, if it has any."""
        self._remove_scratch(trial.number)
        key = self.storage.get_trial(trial._trial_id).system_attrs.get(CHECKPOINT)
        if key:
            self.keys[trial._trial_id] = key
            self.get_checkpoint(key, trial.number, self.paths)

    def inherit(self, study: Study, paused: int, continuing: int) -> None:
        """Bring the checkpoint and the frames of the trial `paused` here, unless `continuing` has its own."""
        key = study.get_trials(deepcopy=False)[paused].system_attrs.get(CHECKPOINT)
        if key and not self.paths.checkpoint(continuing).exists():
            self.get_checkpoint(key, continuing, self.paths)

    def report(self, trial: Trial, val_bpd: float, step: int, *, has_new_checkpoint: bool) -> None:
        """Put the checkpoint beside the training, then commit the score and the object's key together.

        Raises: Fenced: another worker has taken the trial over. FilesError: the object store cannot be used. Both
            may be raised by the next call, or by `settle`.
        """
        if not has_new_checkpoint:
            report_score(trial, val_bpd, step)
            return
        # Packed now: the next report point replaces the checkpoint on this machine. The token, too, is that of now.
        content, token = pack(self.paths, trial.number), self.storage.keeper.token(trial._trial_id)
        key = f"{_CHECKPOINTS}/{_folder(trial.number)}/r{step:03d}-t{token:06d}.tar"
        report = Report(trial._trial_id, token, step, val_bpd, key)
        self._uploads.start(trial._trial_id, lambda: self._commit(report, content))
        know_report(trial, val_bpd, step)

    def settle(self, trial: Trial) -> None:
        """Wait until the last report is stored."""
        self._uploads.wait(trial._trial_id)

    def _commit(self, report: Report, content: bytes) -> None:
        before = self.keys.get(report.trial_id)
        self.objects.put(report.checkpoint, content)
        self.storage.report(report)
        self.keys[report.trial_id] = report.checkpoint
        if before and before != report.checkpoint:
            self.objects.delete([before])

    def put_checkpoint(self, number: int, paths: StudyPaths) -> str:
        """Put a trial's checkpoint and frames of a study's folder on this machine; return the object's key."""
        key = f"{_CHECKPOINTS}/{_folder(number)}/copied.tar"
        self.objects.put(key, pack(paths, number))
        return key

    def get_checkpoint(self, key: str, number: int, paths: StudyPaths) -> None:
        """Bring a trial's checkpoint and frames to a folder on this machine; nothing comes if the object is gone."""
        if (content := self.objects.get(key)) is not None:
            unpack(content, paths, number)

    def has_checkpoint(self, trial: FrozenTrial) -> bool:
        """Return True if the trial has committed a checkpoint."""
        return CHECKPOINT in trial.system_attrs

    def remove_unneeded(self, study: Study, n_best: int, pruner: Pruner) -> int:
        """Remove the checkpoints of ended trials that are not needed, and what this process has left of its trials."""
        shutil.rmtree(self.paths.scratch, ignore_errors=True)
        trials = study.get_trials(deepcopy=False)
        needed = needed_checkpoints(trials, self.has_checkpoint, n_best, pruner)
        ended = {trial.number for trial in trials if trial.state.is_finished()}
        return self._delete([file for file in self._checkpoints() if _number(file) in ended - needed])

    def clean(self, study: Study, n_best: int, pruner: Pruner) -> int:
        """Do the same, and remove what no trial refers to, and the temporary folders of ended processes."""
        n_bytes = self.remove_unneeded(study, n_best, pruner)
        # Listed first: what is put from now on is not among them.
        checkpoints = self.objects.files(_CHECKPOINTS, self.objects.clock())
        keys = (trial.system_attrs.get(CHECKPOINT, "") for trial in study.get_trials(deepcopy=False))
        referenced = {key.removeprefix(f"{_CHECKPOINTS}/") for key in keys}
        lost = [file for file in checkpoints if file.name not in referenced and file.age_s > _MAX_COMMIT_S]
        for folder in self.paths.all_scratch.glob(f"{self.paths.scratch.name.rpartition('-')[0]}-*"):
            if not _is_alive(int(folder.name.rpartition("-")[2])):
                shutil.rmtree(folder, ignore_errors=True)
        return n_bytes + self._delete(lost)

    def artifact_store(self) -> ObjectArtifactStore:
        """Return the artifact store."""
        return ObjectArtifactStore(self.objects)

    def artifact_names(self) -> frozenset[str]:
        """Return the names of all files in the artifact store."""
        return frozenset(file.name for file in self.objects.files(ARTIFACTS))

    def artifact_path(self, name: str) -> Path:
        """Return the path of a file of the artifact store, which is brought to this machine if it is not here."""
        path = self.paths.artifacts / name
        if not path.exists() and (content := self.objects.get(f"{ARTIFACTS}/{name}")) is not None:
            with replacing(path) as temporary:
                temporary.write_bytes(content)
        return path

    def stored_artifacts(self) -> list[StoredFile]:
        """Return the files of the artifact store."""
        return self.objects.files(ARTIFACTS, self.objects.clock())

    def remove_artifact(self, name: str) -> None:
        """Remove a file of the artifact store."""
        self.artifact_store().remove(name)

    def is_shared(self, file: Path) -> bool:
        """Return True if other machines have a file of this name already."""
        return any(shared.name == file.name for shared in self.objects.files(_SHARED))

    def share(self, file: Path) -> None:
        """Let other machines have a file of the study's folder."""
        self.objects.put(f"{_SHARED}/{file.name}", file.read_bytes())

    def fetch(self, file: Path) -> None:
        """Bring a file that another machine shares to this one, if there is any."""
        if not file.exists() and (content := self.objects.get(f"{_SHARED}/{file.name}")) is not None:
            with replacing(file) as temporary:
                temporary.write_bytes(content)

    def _checkpoints(self) -> list[StoredFile]:
        return self.objects.files(_CHECKPOINTS)

    def _delete(self, files: list[StoredFile]) -> int:
        self.objects.delete([f"{_CHECKPOINTS}/{file.name}" for file in files])
        return sum(file.n_bytes for file in files)

    def _remove_scratch(self, number: int) -> None:
        """Remove what this process has of a trial: another may have trained it further meanwhile."""
        self.paths.checkpoint(number).unlink(missing_ok=True)
        shutil.rmtree(self.paths.trial(number).folder, ignore_errors=True)


def _folder(number: int) -> str:
    return f"trial_{number:04d}"


def _number(file: StoredFile) -> int | None:
    match = _TRIAL_NUMBER.match(file.name)
    return int(match[1]) if match else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Another user's.
        return True
    return True
