"""Model of the seconds that an epoch of any configuration takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import HuberRegressor

from benchmarks.jsonl import read
from benchmarks.search.gaussian_process import Array
from benchmarks.search.protocol import Values
from benchmarks.tables import RESULTS

SECONDS = RESULTS / "search_seconds.jsonl"


@dataclass(frozen=True)
class Timing:
    """Seconds of one epoch of this size on one core, evaluation included."""

    batch_size: int
    latent_dim: int
    seconds: float


def read_timings(path: Path = SECONDS) -> list[Timing]:
    """Return all timings."""
    return [Timing(line["batch_size"], line["latent_dim"], line["seconds"]) for line in read(path)]


@dataclass(frozen=True)
class EpochSeconds:
    """log(seconds) is linear in log(latent_dim), with an intercept for each batch size; other values change no work."""

    slope: float
    intercepts: Mapping[int, float]

    @classmethod
    def fit(cls, timings: Sequence[Timing]) -> "EpochSeconds":
        """Fit by Huber's regression, in which a disturbed timing has little weight."""
        sizes = sorted({timing.batch_size for timing in timings})
        log_seconds = np.log([timing.seconds for timing in timings])
        design = np.array([_row(timing.latent_dim, timing.batch_size, sizes) for timing in timings])
        slope, *intercepts = HuberRegressor(alpha=0, fit_intercept=False, max_iter=1000).fit(design, log_seconds).coef_
        return cls(float(slope), dict(zip(sizes, map(float, intercepts), strict=True)))

    def __call__(self, values: Values) -> float:
        """Seconds of one core for one epoch, evaluation included."""
        return float(np.exp(self.slope * np.log(values["latent_dim"]) + self.intercepts[values["batch_size"]]))


def _row(latent_dim: int, batch_size: int, sizes: Sequence[int]) -> Array:
    return np.array([np.log(latent_dim), *(float(batch_size == size) for size in sizes)])
