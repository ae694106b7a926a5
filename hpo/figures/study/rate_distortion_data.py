"""Data of the figure of distortion against rate: trials and probabilistic PCA."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from hpo.figures.study.trial_points import of_kind
from hpo.search.best_trial import BestTrial


@dataclass(frozen=True)
class RatePoint:
    """Trial on the rate-distortion plane, nats per image. `beats_ppca` is None if it was not compared with pPCA."""

    number: int
    rate_nats: float
    distortion_nats: float
    beta: float
    latent_dim: int
    is_finished: bool
    beats_ppca: bool | None


@dataclass(frozen=True)
class RateDistortionData:
    """Trials, and probabilistic PCA as (latent dimension, rate, distortion), ascending."""

    points: tuple[RatePoint, ...]
    ppca: tuple[tuple[int, float, float], ...]
    best: BestTrial | None


def rate_distortion_data(
    trials: pd.DataFrame,
    ppca: Sequence[tuple[int, float, float]],
    best: BestTrial | None,
    beats_ppca: Mapping[int, bool],
) -> RateDistortionData:
    """Collect finished trials, and pruned ones at their last report.

    Args:
        trials: table of the trials.
        ppca: (latent dimension, rate, distortion) of probabilistic PCA.
        best: the best trial.
        beats_ppca: for the numbers of finished trials, True if pPCA of their size is beaten.
    """
    reported = of_kind(trials, "finished", "pruned").dropna(subset=["rate_nats", "distortion_nats"])
    columns = (reported[name] for name in ("number", "rate_nats", "distortion_nats", "beta", "latent_dim", "kind"))
    points = tuple(
        RatePoint(
            number=int(number),
            rate_nats=float(rate),
            distortion_nats=float(distortion),
            beta=float(beta),
            latent_dim=int(latent_dim),
            is_finished=kind == "finished",
            beats_ppca=beats_ppca.get(int(number)),
        )
        for number, rate, distortion, beta, latent_dim, kind in zip(*columns, strict=True)
        if math.isfinite(rate + distortion)
    )
    return RateDistortionData(points, tuple(sorted(ppca)), best)
