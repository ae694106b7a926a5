"""Bayesian hyperparameter optimization of a convolutional VAE on CIFAR-10.

>>> import hpo
>>> study = hpo.tune(hpo.load_config("quick"), trials=4)
>>> hpo.retrain(study.config)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.api import (
        ConfigError,
        OpenStudy,
        Retraining,
        RunFinished,
        StudyConfig,
        StudyError,
        StudyResults,
        TuningSession,
        epochs_frame,
        load_config,
        open_retraining,
        open_study,
        open_tuning_session,
        retrain,
        study_results,
        trials_frame,
        tune,
    )

__all__ = [
    "ConfigError",
    "OpenStudy",
    "Retraining",
    "RunFinished",
    "StudyConfig",
    "StudyError",
    "StudyResults",
    "TuningSession",
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


# The other names live in hpo.api.
_LIGHT = {
    "ConfigError": "hpo.config.study_file",
    "StudyConfig": "hpo.config.schema",
    "load_config": "hpo.config.study_file",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: `python -m hpo --help` and a faulty file must not wait for torch.
    if name in __all__:
        return getattr(import_module(_LIGHT.get(name, "hpo.api")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
