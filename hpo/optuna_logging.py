"""Optuna's log messages: off in our own processes, and off for studies that we make in a caller's process."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.study import Study

# The level belongs to the whole process: two threads that changed it at once could leave it changed.
_LEVEL = threading.Lock()


def silence_optuna() -> None:
    """Turn off Optuna's warnings about experimental features, and its log messages below warnings."""
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def in_memory_study(**arguments: Any) -> Study:
    """Create a study in memory, as `optuna.create_study` does, without Optuna's line about it.

    Samplers, the pruner and importances need one for each trial, and no user has asked for them. The level of Optuna's
    logging is the caller's again afterwards.
    """
    with quiet_optuna():
        return optuna.create_study(**arguments)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Do the same as `silence_optuna` while the block runs; then the caller's settings hold again."""
    with _LEVEL, warnings.catch_warnings():
        level = optuna.logging.get_verbosity()
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
        try:
            yield
        finally:
            optuna.logging.set_verbosity(level)
