"""How long an epoch of any configuration takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import HuberRegressor

from benchmarks.search.gaussian_process import Array
from benchmarks.search.protocol import Values
from benchmarks.search.table import Curve


@dataclass(frozen=True)
class EpochSeconds:
    """log(seconds) is linear in log(latent_dim), with an intercept for each batch size; other values change no work."""

    slope: float
    intercepts: Mapping[int, float]

    @classmethod
    def fit(cls, curves: Sequence[Curve]) -> "EpochSeconds":
        """From the median epoch of each run, by Huber's regression: what disturbed a few runs has little weight."""
        timed = [curve for curve in curves if curve.seconds]
        sizes = sorted({curve.values["batch_size"] for curve in timed})
        log_seconds = np.log([np.median(curve.seconds) for curve in timed])
        design = np.array([_row(curve.values, sizes) for curve in timed])
        slope, *intercepts = HuberRegressor(alpha=0, fit_intercept=False, max_iter=1000).fit(design, log_seconds).coef_
        return cls(float(slope), dict(zip(sizes, map(float, intercepts), strict=True)))

    def __call__(self, values: Values) -> float:
        """Seconds of one core for one epoch, evaluation included."""
        return float(np.exp(self.slope * np.log(values["latent_dim"]) + self.intercepts[values["batch_size"]]))


def _row(values: Values, sizes: Sequence[int]) -> Array:
    return np.array([np.log(values["latent_dim"]), *(float(values["batch_size"] == size) for size in sizes)])
