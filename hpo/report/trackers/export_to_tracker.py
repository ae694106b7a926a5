"""Writes a study for a tracker, whole or not at all."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from hpo.report.trackers.tracked_trials import TrackedTrial, tracked_trials
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import Tracker, TrackerPaths
from hpo.user_commands import how_to_install, user_command
from model.errors import UserError

# Package that a tracker needs, and the module here that writes with it.
_PACKAGES: dict[Tracker, tuple[str, str]] = {
    "tensorboard": ("tensorboard", "tensorboard_events"),
    "mlflow": ("mlflow", "mlflow_store"),
    "wandb-offline": ("wandb", "wandb_runs"),
}
# Read by MLflow and wandb while they are imported. Neither reports to its makers, and MLflow prints warnings only.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "WANDB_ERROR_REPORTING": "false",
}


def export(opened: OpenStudy, tracker: Tracker, target: TrackerPaths) -> int:
    """Write every trial of a study for a tracker; what an earlier call wrote there is replaced.

    Returns: the number of trials.

    Raises: UserError: the study has no trials, the package is missing, or the folder holds something else.
    """
    package, module = _PACKAGES[tracker]
    if find_spec(package) is None:
        raise UserError(
            f"--to {tracker} needs the package {package}, which is not installed; {how_to_install('track')}"
        )
    name = opened.study.study_name
    trials = list(tracked_trials(opened))
    if not trials:
        command = user_command("tune", opened.config_name)
        raise UserError(f"{opened.paths.address}: has no trials yet, so there is nothing to export; next: {command}")
    write: Callable[[Iterable[TrackedTrial], str, TrackerPaths], None]
    os.environ.update(_ENVIRONMENT)
    write = import_module(f"{__package__}.{module}").write
    with _replacing(target) as unfinished:
        write(trials, name, unfinished)
        unfinished.origin.write_text(f"{tracker}: {name}\n", encoding="utf-8")
    return len(trials)


@contextmanager
def _replacing(target: TrackerPaths) -> Iterator[TrackerPaths]:
    """Yield an empty folder beside the target, which it replaces when the block succeeds; else it is removed."""
    folder = target.folder.absolute()
    if folder.exists() and any(folder.iterdir()) and not target.origin.exists():
        raise UserError(f"{target.folder}: holds other files; name a new folder, or one that this command wrote")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        unfinished = TrackerPaths(Path(temporary, "new"))
        unfinished.folder.mkdir()
        yield unfinished
        if folder.exists():
            folder.rename(Path(temporary, "former"))
        unfinished.folder.rename(folder)
