"""Attributes, pictures and note of a trial that has ended. Writing them twice does no harm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import Trial

from hpo.analysis.earlier_best import describe_earlier_best
from hpo.analysis.trial_table import trial_row
from hpo.config.schema import Objective, StudyConfig
from hpo.search.configurations import END
from hpo.storage import artifacts
from hpo.storage.error_log import attempt
from hpo.storage.paths import StudyPaths
from hpo.workers.pictures.trial_frames import TrialFrameRecorder
from model.config import TrainConfig
from model.device import Runtime

_LAST_FACTS = ("epoch", "val_rate_nats", "val_distortion_nats", "val_mse", "sigma", "skipped_updates", "elapsed_s")


@dataclass(frozen=True)
class TrialProgress:
    """Training configuration, frame recorder, and one row of metrics for each report of a trial."""

    config: TrainConfig
    recorder: TrialFrameRecorder
    history: list[dict[str, float]]


def trial_attributes(
    runtime: Runtime, history: list[dict[str, float]], end: str, better: dict[str, float] | None
) -> dict[str, Any]:
    """Return the user attributes of an ended trial; `better` is a report notably better than the last, or None."""
    attributes: dict[str, Any] = {END: end, "device": runtime.device.type, "precision": runtime.precision}
    if not history:
        return attributes
    attributes |= {name: history[-1][name] for name in _LAST_FACTS}
    attributes["images_per_second"] = sum(row["images_per_second"] for row in history) / len(history)
    if better:
        attributes["earlier_best"] = describe_earlier_best(better)
    return attributes


def objective_values(objectives: Sequence[Objective], progress: TrialProgress) -> list[float]:
    """Return the objective values of a finished trial, in the order of its study's objectives; all are minimised.

    Seconds are those that this machine took for training and validation.
    """
    last = progress.history[-1]
    values: dict[Objective, float] = {
        "val_bpd": last["val_bpd"],
        "latent_dim": float(progress.config.latent_dim),
        "seconds_per_epoch": last["elapsed_s"] / last["epoch"],
    }
    return [values[name] for name in objectives]


def draw_and_annotate(
    trial: Trial, config: StudyConfig, paths: StudyPaths, progress: TrialProgress, end: str
) -> str | None:
    """Draw a trial whose attributes are stored, upload the pictures as artifacts, and write its note.

    Returns: a message after an unforeseen error, else None: a trial is worth more than its pictures.
    """

    def run() -> None:
        # Imported late: the libraries that draw take seconds, and the first trial begins without them.
        from hpo.dashboard.save_note import save_note
        from hpo.dashboard.trial_note import trial_note
        from hpo.workers.pictures.trial_pictures import draw_trial

        study, trial_paths = trial.study, paths.trial(trial.number)
        trials = study.get_trials(deepcopy=False)
        frozen = trials[trial.number]
        # A trial that ended before its history was read still has its frames.
        n_reports = len(progress.history) or len(frozen.intermediate_values)
        for file in draw_trial(trial_paths, progress.recorder, progress.config, n_reports, progress.history):
            artifacts.upload_or_replace(trial, study, file, paths)
        picture = artifacts.dashboard_url(trial, study, trial_paths.reconstructions.name)
        save_note(trial, trial_note(trial_row(frozen, config, trials, end), config.pruner, picture))

    return attempt(run, subject="its pictures", heading=f"trial {trial.number}", log=paths.errors)
