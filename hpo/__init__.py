"""Bayesian hyperparameter optimization of a convolutional VAE on CIFAR-10.

>>> import hpo
>>> study = hpo.tune(hpo.load_config("quick"), trials=4)
>>> hpo.retrain(study.config)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.analysis.results import StudyResults
    from hpo.api import epochs_frame, retrain, study_results, trials_frame, tune
    from hpo.config.schema import StudyConfig
    from hpo.config.study_file import ConfigError, load_config
    from hpo.runs.drawing_steps import DrawingStarted
    from hpo.runs.full_length_run import RunFinished, RunStarted
    from hpo.runs.retrain import Retraining, open_retraining
    from hpo.storage.database import StudyError
    from hpo.storage.open_study import OpenStudy, open_study
    from hpo.workers.trial_events import Notice, TrialEnded, TrialReported, TrialStarted
    from hpo.workers.tuning_session import TuningSession, open_tuning_session
    from model.errors import UserError
    from model.training.training_loop import EpochMetrics

__all__ = [
    "ConfigError",
    "DrawingStarted",
    "EpochMetrics",
    "Notice",
    "OpenStudy",
    "Retraining",
    "RunFinished",
    "RunStarted",
    "StudyConfig",
    "StudyError",
    "StudyResults",
    "TrialEnded",
    "TrialReported",
    "TrialStarted",
    "TuningSession",
    "UserError",
    "epochs_frame",
    "load_config",
    "open_retraining",
    "open_study",
    "open_tuning_session",
    "retrain",
    "study_results",
    "trials_frame",
    "tune",
]

_MODULES = {
    "ConfigError": "hpo.config.study_file",
    "DrawingStarted": "hpo.runs.drawing_steps",
    "EpochMetrics": "model.training.training_loop",
    "Notice": "hpo.workers.trial_events",
    "OpenStudy": "hpo.storage.open_study",
    "Retraining": "hpo.runs.retrain",
    "RunFinished": "hpo.runs.full_length_run",
    "RunStarted": "hpo.runs.full_length_run",
    "StudyConfig": "hpo.config.schema",
    "StudyError": "hpo.storage.database",
    "StudyResults": "hpo.analysis.results",
    "TrialEnded": "hpo.workers.trial_events",
    "TrialReported": "hpo.workers.trial_events",
    "TrialStarted": "hpo.workers.trial_events",
    "TuningSession": "hpo.workers.tuning_session",
    "UserError": "model.errors",
    "epochs_frame": "hpo.api",
    "load_config": "hpo.config.study_file",
    "open_retraining": "hpo.runs.retrain",
    "open_study": "hpo.storage.open_study",
    "open_tuning_session": "hpo.workers.tuning_session",
    "retrain": "hpo.api",
    "study_results": "hpo.api",
    "trials_frame": "hpo.api",
    "tune": "hpo.api",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: `python -m hpo --help` and a faulty file must not wait for torch.
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
