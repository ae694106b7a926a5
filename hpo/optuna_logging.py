"""Optuna's log messages: off in our own processes."""

import warnings

import optuna


def silence_optuna() -> None:
    """Turn off Optuna's warnings about experimental features, and its log messages below warnings."""
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
