"""Synthetic table of learning curves with a known structure."""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial
from scipy.stats import qmc

from benchmarks.search.epoch_seconds import Timing
from benchmarks.search.protocol import Space
from benchmarks.search.table import N_EPOCHS, Curve
from hpo.search.configurations import END, Configuration

BATCH_SIZES = (16, 32, 64, 128)
SPACE: Space = {
    "beta": FloatDistribution(0.3, 3.0, log=True),
    "latent_dim": IntDistribution(32, 512, log=True),
    "learning_rate": FloatDistribution(3e-4, 1e-2, log=True),
    "batch_size": CategoricalDistribution(BATCH_SIZES),
}
# Standard deviation among seeds, in bits/dim; the share 0.6 of its variance is common to all epochs of a run.
NOISE, SHARED = 0.005, 0.6


def configurations(n_configurations: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return quasi-random values in SPACE."""
    points = qmc.Sobol(d=4, rng=seed).random_base2(8)[:n_configurations]
    return [
        {
            "beta": 0.3 * 10 ** float(beta),
            "latent_dim": round(32 * 16 ** float(latent_dim)),
            "learning_rate": 3e-4 * (1e-2 / 3e-4) ** float(rate),
            "batch_size": BATCH_SIZES[int(4 * size)],
        }
        for beta, latent_dim, rate, size in points
    ]


def true_curve(values: dict[str, Any]) -> NDArray[np.float64]:
    """Return val_bpd without noise: a power law to a quadratic final score; the fastest is not the best at last."""
    beta, latent_dim, rate, size = np.log(
        [values["beta"], values["latent_dim"] / 180, values["learning_rate"] / 2e-3, values["batch_size"] / 32]
    )
    final = 4.6 + 0.3 * beta**2 + 0.1 * latent_dim**2 + 0.2 * (rate - 0.4 * size) ** 2 + 0.02 * size**2
    speed = 0.8 + 0.4 * np.tanh(rate) - 0.3 * np.tanh(size)
    epochs = np.arange(1, N_EPOCHS + 1)
    return np.asarray(final + 1.5 * (epochs**-speed - float(N_EPOCHS) ** -speed))


def true_seconds(values: dict[str, Any]) -> float:
    """Return the seconds of an epoch."""
    return float(3 * (values["batch_size"] / 32) ** -0.3 * (values["latent_dim"] / 128) ** 0.2)


def timings() -> list[Timing]:
    """Return the seconds of an epoch for every batch size and three latent dimensions."""
    sizes = product(BATCH_SIZES, (32, 128, 512))
    return [Timing(size, dim, true_seconds({"batch_size": size, "latent_dim": dim})) for size, dim in sizes]


def table(n_configurations: int) -> list[Curve]:
    """Return curves of all configurations with seed 0, and of the first quarter with three seeds."""
    generator = np.random.default_rng(0)
    seeds = {index: (0, 1, 2) if 4 * index < n_configurations else (0,) for index in range(n_configurations)}
    values = configurations(n_configurations)
    return [_curve(index, seed, values[index], generator) for index in seeds for seed in seeds[index]]


def finished(number: int, values: dict[str, Any], space: Space = SPACE) -> Configuration:
    """Return a configuration whose only trial has finished with its true curve."""
    curve = [float(score) for score in true_curve(values)]
    trial = create_trial(
        value=curve[-1],
        params=values,
        distributions=space,
        intermediate_values=dict(enumerate(curve, start=1)),
        user_attrs={END: "finished"},
    )
    trial.number = number
    return Configuration([trial])


def _curve(index: int, seed: int, values: dict[str, Any], generator: np.random.Generator) -> Curve:
    shared, own = generator.standard_normal(), generator.standard_normal(N_EPOCHS)
    val_bpd = true_curve(values) + NOISE * (SHARED**0.5 * shared + (1 - SHARED) ** 0.5 * own)
    zeros = (0.0,) * len(val_bpd)
    return Curve(index, seed, values, tuple(map(float, val_bpd)), zeros, zeros, zeros)
