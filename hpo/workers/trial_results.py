"""What a trial leaves when it is over: its facts, its pictures, its note. All of it may be done again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import Trial

from hpo.analysis.trial_table import trial_row
from hpo.config.schema import Objective, StudyConfig
from hpo.dashboard import notes
from hpo.storage import artifacts
from hpo.storage.database import DATABASE_ERRORS
from hpo.storage.error_log import log_traceback
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_pictures import TrialFrameRecorder, draw
from model.config import TrainConfig
from model.device import Runtime
from model.errors import UserError

_LAST_FACTS = ("epoch", "val_rate_nats", "val_distortion_nats", "val_mse", "sigma", "skipped_updates", "elapsed_s")


@dataclass(frozen=True)
class TrialProgress:
    """How a trial is trained, its pictures so far, and a row for each of its reports so far."""

    config: TrainConfig
    film: TrialFrameRecorder
    history: list[dict[str, float]]


def trial_attributes(
    runtime: Runtime, history: list[dict[str, float]], end: str, better: dict[str, float] | None
) -> dict[str, Any]:
    """A trial's user attributes; `better` is a report notably better than the last."""
    known: dict[str, Any] = {"end": end, "device": runtime.device.type, "precision": runtime.precision}
    if not history:
        return known
    known |= {name: history[-1][name] for name in _LAST_FACTS}
    known["images_per_second"] = sum(row["images_per_second"] for row in history) / len(history)
    return known | ({"earlier_best": f"{better['val_bpd']:.4f} at epoch {better['epoch']:g}"} if better else {})


def objective_values(objectives: Sequence[Objective], course: TrialProgress) -> list[float]:
    """What a trial that came to its end is judged by, in the order of its study's objectives; all is to be low.

    Seconds are as this machine took them for training and validation.
    """
    last = course.history[-1]
    known: dict[Objective, float] = {
        "val_bpd": last["val_bpd"],
        "latent_dim": float(course.config.latent_dim),
        "seconds_per_epoch": last["elapsed_s"] / last["epoch"],
    }
    return [known[name] for name in objectives]


def draw_and_annotate(
    trial: Trial, config: StudyConfig, paths: StudyPaths, course: TrialProgress, end: str
) -> str | None:
    """Draw a trial whose facts are written down, keep that as artifacts and note it for the dashboard.

    Returns a word where that went wrong by a fault of ours: a trial is worth more than its pictures.
    """
    place = paths.trial(trial.number)
    try:
        study = trial.study
        trials = study.get_trials(deepcopy=False)
        frozen = trials[trial.number]
        # A trial that was given up unread still has its pictures.
        n_reports = len(course.history) or len(frozen.intermediate_values)
        for file in draw(place, course.film, course.config, n_reports, course.history):
            artifacts.keep(trial, study, file, paths)
        picture = artifacts.address(trial, study, place.reconstructions.name)
        notes.save(trial, notes.trial_note(trial_row(frozen, config, trials, end), config.pruner, picture))
    except (OSError, UserError, *DATABASE_ERRORS):
        raise
    except Exception as error:
        log_traceback(f"trial {trial.number}", paths.errors)
        return f"its pictures could not be made ({type(error).__name__}: {error}); see {paths.errors}"
    return None
