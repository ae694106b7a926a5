"""Search space of a study: what Optuna samples, and the only module that asks a trial for values."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from hpo.config.hyperparameters import TUTORIAL, Choices, Hyperparameters, Range
from hpo.config.schema import StudyConfig
from model.config import Architecture, TrainConfig

# Learning rate and latent dimensions that were good in batches of 64 (benchmarks/ABLATION.md); and the rate where the
# linear skip learns slowly.
_GOOD_VALUES: dict[Architecture, tuple[float, int]] = {
    "plain": (1e-3, 128),
    "norm_free": (2e-3, 256),
    "linear_skip": (2e-3, 512),
}
_SLOW_SKIP_RATE = 8e-3


def trial_config(config: StudyConfig, values: dict[str, Any], trial_number: int) -> TrainConfig:
    """Return the configuration of a trial's training. The seed follows from the study's seed and the trial's number."""
    return TrainConfig(
        **values,
        epochs=config.training.n_epochs,
        report_every=config.training.report_every,
        seed=config.seed * 100_003 + trial_number,
        image_shape=config.data.image_shape,
        **config.model.model_dump(),
    )


def suggest(trial: optuna.trial.Trial, hyperparameters: Hyperparameters) -> dict[str, Any]:
    """Return a value for every hyperparameter: its fixed value, or the one that the sampler suggests."""
    return {name: _suggest_value(trial, name, entry) for name, entry in hyperparameters.entries().items()}


def searched(hyperparameters: Hyperparameters) -> dict[str, Range[Any] | Choices[Any]]:
    """Return the range or choices of every hyperparameter that is not fixed."""
    return {name: entry for name, entry in hyperparameters.entries().items() if isinstance(entry, Range | Choices)}


def distributions(hyperparameters: Hyperparameters) -> dict[str, BaseDistribution]:
    """Return the search space as distributions for Optuna's samplers."""
    return {name: _distribution(entry) for name, entry in searched(hyperparameters).items()}


def n_configurations(hyperparameters: Hyperparameters) -> float:
    """Return the number of configurations that can be sampled, infinite if a range is continuous."""
    return math.prod(map(_n_values, searched(hyperparameters).values()))


def repetition_notice(hyperparameters: Hyperparameters, n_trials: int | None) -> str | None:
    """Return a line for a budget of more trials than there are configurations, else None."""
    n_different = n_configurations(hyperparameters)
    if n_trials is None or n_trials <= n_different:
        return None
    return (
        f"The search space has {n_different:.0f} different configuration{'s' * (n_different != 1)}: "
        f"some of the {n_trials} repeat another one with a new seed"
    )


def tutorial_values(hyperparameters: Hyperparameters) -> dict[str, Any]:
    """Return the tutorial's value of each searched hyperparameter whose range or choices contain it."""
    values = {name: getattr(TUTORIAL, name) for name in searched(hyperparameters)}
    return {name: value for name, value in values.items() if admits(hyperparameters.entries()[name], value)}


def untuned_values(config: StudyConfig) -> dict[str, Any]:
    """Return values that are good without a search, each moved into its range: a guess for the study's network.

    They are β = 1, batches of 64, and a learning rate and a number of latent dimensions that were good with these.
    """
    model = config.model
    is_slow_skip = model.architecture == "linear_skip" and model.pca_start and model.skip_learning_rate < 1
    learning_rate, latent_dim = _GOOD_VALUES[model.architecture]
    guess = {
        "beta": 1.0,
        "latent_dim": latent_dim,
        "learning_rate": _SLOW_SKIP_RATE if is_slow_skip else learning_rate,
        "batch_size": 64,
    }
    return {
        name: _moved_into(entry, guess[name])
        for name, entry in searched(config.hyperparameters).items()
        if name in guess
    }


def edge_of(entry: Range[Any] | Choices[Any], value: Any) -> Literal["lower", "upper"] | None:
    """Return the end of its range that a value lies at: within 2% of it, or the last of 3 or more numbers."""
    if isinstance(entry, Choices):
        numeric = all(isinstance(choice, int | float) for choice in entry.choices)
        low, high = (min(entry.choices), max(entry.choices)) if numeric and len(entry.choices) > 2 else (None, None)
        return "lower" if value == low else "upper" if value == high else None
    scale = math.log if entry.log else float
    low, high = scale(entry.low), scale(entry.high)
    share = (scale(value) - low) / (high - low)
    return "lower" if share <= 0.02 else "upper" if share >= 0.98 else None


def edges_of(hyperparameters: Hyperparameters, values: Mapping[str, Any]) -> dict[str, Literal["lower", "upper"]]:
    """Return the ends of ranges that these values lie at, see `edge_of`, by hyperparameter."""
    return {
        name: edge
        for name, entry in searched(hyperparameters).items()
        if (edge := edge_of(entry, values[name])) is not None
    }


def admits(entry: Range[Any] | Choices[Any], value: Any) -> bool:
    """Return True for a value that can be sampled."""
    if isinstance(entry, Choices):
        return value in entry.choices
    return bool(entry.low <= value <= entry.high)


def _moved_into(entry: Range[Any] | Choices[Any], value: float) -> Any:
    """Return the nearest value of a range; of choices the largest that is not above the value, or else the smallest."""
    if isinstance(entry, Choices):
        return max((choice for choice in entry.choices if choice <= value), default=min(entry.choices))
    return min(max(entry.low, value), entry.high)


def _n_values(entry: Range[Any] | Choices[Any]) -> float:
    if isinstance(entry, Choices):
        return len(entry.choices)
    return entry.high - entry.low + 1 if isinstance(entry.low, int) else math.inf


def _suggest_value(trial: optuna.trial.Trial, name: str, entry: Any) -> Any:
    if not isinstance(entry, Choices | Range):
        return entry
    if isinstance(entry, Choices):
        return trial.suggest_categorical(name, entry.choices)
    if isinstance(entry.low, int):
        return trial.suggest_int(name, entry.low, entry.high, log=entry.log)
    return trial.suggest_float(name, entry.low, entry.high, log=entry.log)


def _distribution(entry: Range[Any] | Choices[Any]) -> BaseDistribution:
    if isinstance(entry, Choices):
        return CategoricalDistribution(entry.choices)
    kind = IntDistribution if isinstance(entry.low, int) else FloatDistribution
    return kind(entry.low, entry.high, log=entry.log)
