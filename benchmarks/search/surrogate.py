"""Surrogate of the table: scores and seconds of any configuration's training.

Legend: E epochs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.search.configurations import Configuration, by_configuration
from benchmarks.search.epoch_seconds import EpochSeconds, Timing
from benchmarks.search.gaussian_process import Array
from benchmarks.search.judges.judge import Judge
from benchmarks.search.mean_curves import MeanCurves
from benchmarks.search.noise import SeedNoise
from benchmarks.search.protocol import Values
from benchmarks.search.table import N_EPOCHS, Curve

# Bits per dimension above the table's best configuration: a search that comes so close has found it.
TOLERANCE = 0.02


@dataclass(frozen=True)
class Surrogate:
    """Mean curves, the noise of seeds, and seconds; an Objective.

    `best` is the table's best configuration by the mean over its seeds; `full_length_s` what the table's mean
    configuration takes for all epochs. Another `repetition` has other noise for the same configurations and seeds.
    """

    mean_curves: Callable[[Values], Array]
    noise: SeedNoise
    epoch_seconds: EpochSeconds
    best: Values
    full_length_s: float
    repetition: int = 0
    # The mean does not depend on the repetition: copies by `dataclasses.replace` share what was computed.
    _means: dict[tuple[float, ...], Array] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def fit(cls, curves: Sequence[Curve], timings: Sequence[Timing]) -> "Surrogate":
        """From all runs there are, and from what an epoch takes."""
        table = by_configuration(curves)
        noise = noise_of(table)
        epoch_seconds = EpochSeconds.fit(timings)
        return cls(
            mean_curves=MeanCurves.fit(table, noise.deviation_E**2),
            noise=noise,
            epoch_seconds=epoch_seconds,
            best=min(
                (configuration for configuration in table if not configuration.diverged),
                key=lambda configuration: float(configuration.mean_E[-1]),
            ).values,
            full_length_s=float(np.mean([N_EPOCHS * epoch_seconds(configuration.values) for configuration in table])),
        )

    def judged(self, judge: Judge | None, repetition: int) -> "Surrogate":
        """Return the surrogate of a repetition, with the mean curves that a judge draws for it, if there is one."""
        if judge is None:
            return replace(self, repetition=repetition)
        return replace(self, repetition=repetition, mean_curves=judge.draw(repetition), _means={})

    @property
    def target(self) -> float:
        """TOLERANCE above the surrogate's own score of the table's best configuration, in bits per dimension.

        Not above the surrogate's minimum: that lies where nobody has trained, and may be an artefact. Not above the
        score in the table: it is the least of many noisy ones, and so too low; the surrogate, which decides what a
        search has reached, has smoothed it.
        """
        return self.final(self.best) + TOLERANCE

    def mean(self, values: Values) -> Array:
        """val_bpd after each epoch without noise, shape (E,)."""
        key = tuple(values[name] for name in sorted(values))
        if key not in self._means:
            self._means[key] = self.mean_curves(values)
        return self._means[key]

    def curve(self, values: Values, seed: int) -> Array:
        """val_bpd after each epoch of a run, shape (E,); the same for the same arguments."""
        return self.mean(values) + self.noise.path(self.repetition, values, seed)

    def seconds(self, values: Values) -> float:
        """Seconds of one core for one epoch with its evaluation."""
        return self.epoch_seconds(values)

    def final(self, values: Values) -> float:
        """val_bpd after the last epoch without noise: the true score."""
        return float(self.mean(values)[-1])


def noise_of(table: Sequence[Configuration]) -> SeedNoise:
    """From configurations with several seeds; taken to be the same everywhere."""
    return SeedNoise.estimate(
        [configuration.curves_RE for configuration in table if len(configuration.curves_RE) > 1], N_EPOCHS
    )
