"""Which checkpoints of a study are still of use: those of trials that can go on, and of the best."""

import contextlib
import shutil
from pathlib import Path

from optuna.study import Study
from optuna.trial import TrialState

from hpo.paths import StudyPaths

N_KEPT = 3


def unneeded(study: Study, paths: StudyPaths, n_best: int) -> list[Path]:
    """Checkpoints there of trials that ended, but for the `n_best` of lowest val_bpd."""
    over = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    finished = [trial for trial in over if trial.state == TrialState.COMPLETE]
    best = sorted(finished, key=lambda trial: (trial.value, trial.number))[:n_best]
    kept = {trial.number for trial in best}
    candidates = (paths.checkpoint(trial.number) for trial in over if trial.number not in kept)
    return [path for path in candidates if path.exists()]


def clean(study: Study, paths: StudyPaths, n_best: int) -> int:
    """Remove checkpoints that nobody needs and what killed processes left half-written; return the bytes freed."""
    n_bytes = remove_unneeded(study, paths, n_best)
    for half_written in paths.checkpoints.glob(".*"):
        n_bytes += half_written.stat().st_size
        half_written.unlink()
    return n_bytes


def remove_unneeded(study: Study, paths: StudyPaths, n_best: int) -> int:
    """Remove them, and what trials that are over drew from; return how many bytes of checkpoints that made free."""
    n_bytes = 0
    for trial in study.get_trials(deepcopy=False):
        if trial.state.is_finished():
            shutil.rmtree(paths.trial(trial.number).folder, ignore_errors=True)
    for path in unneeded(study, paths, n_best):
        # Another worker may have been faster.
        with contextlib.suppress(FileNotFoundError):
            n_bytes += path.stat().st_size
            path.unlink()
    return n_bytes
