"""A study as offline runs of Weights & Biases, which `wandb sync` uploads if the user wants it."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import wandb

from hpo.report.trackers.tracked_trials import TrackedTrial
from hpo.storage.paths import TrackerPaths

# What this process is, prints and uses does not belong to the run, which was trained earlier.
_SETTINGS = {
    "silent": True,
    "console": "off",
    "symlink": False,
    "disable_git": True,
    "disable_code": True,
    "x_disable_stats": True,
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
}


def write(trials: Iterable[TrackedTrial], study_name: str, target: TrackerPaths) -> None:
    """Write the trials into an empty folder: the study is a project, a trial is a run."""
    for trial in trials:
        # wandb knows pictures by the ends of their names, which files of the artifact store do not have.
        with tempfile.TemporaryDirectory() as folder:
            pictures = [shutil.copyfile(path, Path(folder, name)) for name, path in trial.pictures.items()]
            _write_run(trial, pictures, study_name, target)
    for log in target.wandb_runs.glob("*/logs"):
        shutil.rmtree(log)


def _write_run(trial: TrackedTrial, pictures: list[Path], study_name: str, target: TrackerPaths) -> None:
    run = wandb.init(
        mode="offline",
        dir=target.folder,
        project=study_name,
        # The same for every export of a trial, and another one in a study that was started over.
        id=f"{trial.name}_{round(trial.started_s)}",
        name=trial.name,
        config=trial.values | {f"trial/{name}": value for name, value in trial.tags.items()},
        reinit="create_new",
        settings=wandb.Settings(**_SETTINGS),
    )
    run.define_metric("*", step_metric="epoch")
    shown = {f"pictures/{path.stem}": _picture(path) for path in pictures}
    for report in trial.reports:
        is_last = report is trial.reports[-1]
        run.log(report.metrics | {"_timestamp": report.time_s} | (shown if is_last else {}), step=report.step)
    run.summary.update(trial.final)
    run.finish(exit_code=int(trial.has_failed))


def _picture(path: Path) -> wandb.Image | wandb.Video:
    return wandb.Video(str(path)) if path.suffix == ".gif" else wandb.Image(str(path))
