"""Studies in memory, made without log messages: a sampler makes them for another sampler."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.study import Study

# The level belongs to the whole process: two threads that changed it at once could leave it changed.
_LEVEL = threading.Lock()


def in_memory_study(**arguments: Any) -> Study:
    """Create a study in memory, as `optuna.create_study` does, without Optuna's line about it.

    The level of Optuna's logging is the caller's again afterwards.
    """
    with quiet_optuna():
        return optuna.create_study(**arguments)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's messages below warnings, and those about experimental features, while the block runs."""
    with _LEVEL, warnings.catch_warnings():
        level = optuna.logging.get_verbosity()
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
        try:
            yield
        finally:
            optuna.logging.set_verbosity(level)
