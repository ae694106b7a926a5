"""Data of the interactive figures, as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

_SMALLEST, _LARGEST = 8.0, 30.0
# So many finished trials tell where the interesting ones lie.
_ENOUGH = 3


@dataclass(frozen=True)
class PlottedTrial:
    """Ended trial with at least one report: its kind, values, last scores, and curve of (epoch, val_bpd)."""

    number: int
    kind: str
    beta: float
    latent_dim: int
    rate_nats: float
    distortion_nats: float
    val_bpd: float
    seconds: float
    curve: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class PcaPoint:
    """Probabilistic PCA with one latent dimension."""

    latent_dim: int
    rate_nats: float
    distortion_nats: float
    bpd: float


@dataclass(frozen=True)
class IsoScore:
    """Line of equal score: all pairs of rate and distortion that sum to `nats`."""

    bpd: float
    nats: float


@dataclass(frozen=True)
class Spending:
    """Trials in the order of their numbers: (compute spent until it ended, its score).

    `best` is the lowest score of finished ones so far.
    """

    unit: str
    spent: tuple[float, ...]
    best: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class BetaScale:
    """Position of each beta on the colour bar, and the bar's ticks with their labels."""

    places: tuple[float, ...]
    ticks: tuple[float, ...]
    labels: tuple[str, ...]


def spending(trials: Sequence[PlottedTrial]) -> Spending:
    """Sum up the compute after each trial, in minutes or hours of training, with the best finished score so far."""
    total = sum(trial.seconds for trial in trials)
    unit, seconds = ("hours", 3600.0) if total >= 2 * 3600 else ("minutes", 60.0)
    spent = tuple(accumulate(trial.seconds / seconds for trial in trials))
    best: list[tuple[float, float]] = []
    for at, trial in zip(spent, trials, strict=True):
        if trial.kind == "finished" and (not best or trial.val_bpd < best[-1][1]):
            best.append((at, trial.val_bpd))
    if best:
        best.append((spent[-1], best[-1][1]))
    return Spending(unit, spent, tuple(best))


def marker_sizes(latent_dims: Sequence[int]) -> list[float]:
    """Return diameters in pixels: areas grow with the latent dimension, the largest diameter is fixed."""
    largest = max(latent_dims, default=1)
    return [round(max(_SMALLEST, _LARGEST * math.sqrt(size / largest)), 1) for size in latent_dims]


def score_window(trials: Sequence[PlottedTrial]) -> tuple[float, float] | None:
    """Return the range of last scores of trials without faults; first reports may be far above."""
    last = [trial.val_bpd for trial in trials if trial.kind in ("finished", "pruned")]
    if not last:
        return None
    low, high = min(last), max(last)
    margin = max(0.06 * (high - low), 0.01)
    return low - margin, high + 2 * margin


def beta_scale(betas: Sequence[float]) -> BetaScale:
    """Return a log scale, linear if a beta is 0; five ticks from smallest to largest, or one if all are equal."""
    is_linear = min(betas, default=1.0) == 0
    places = [beta if is_linear else math.log10(beta) for beta in betas]
    low, high = min(places, default=0.0), max(places, default=0.0)
    ticks = [round(low + step * (high - low) / 4, 4) for step in range(5)] if high > low else [round(low, 4)]
    return BetaScale(tuple(places), tuple(ticks), tuple(f"{tick if is_linear else 10**tick:.2g}" for tick in ticks))


def rate_distortion_window(
    trials: Sequence[PlottedTrial], linear: Sequence[PcaPoint]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return ranges of rate and distortion that hold the finished trials (all trials if few finished) and pPCA nearby.

    Trials that were stopped early may lie far off.
    """
    finished = [trial for trial in trials if trial.kind == "finished"]
    shown = finished if len(finished) >= _ENOUGH else trials
    rates = _with_margin([trial.rate_nats for trial in shown])
    beneath = [one.distortion_nats for one in linear if rates[0] <= one.rate_nats <= rates[1]]
    return rates, _with_margin([*(trial.distortion_nats for trial in shown), *beneath])


def _with_margin(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = max(0.12 * (high - low), 1.0)
    return low - margin, high + margin
