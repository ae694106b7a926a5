"""Data of the interactive figures, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

# So many finished trials show where the interesting ones lie.
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
class PpcaPoint:
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
class ScoreAgainstCompute:
    """Compute spent until each trial ended, in the order of the trials.

    `best` are points (compute spent, lowest score of finished trials so far) at which that score changed, and the end.
    """

    unit: str
    spent: tuple[float, ...]
    best: tuple[tuple[float, float], ...]


def score_against_compute_data(trials: Sequence[PlottedTrial]) -> ScoreAgainstCompute:
    """Sum up the compute after each trial, in minutes or hours of training, with the best finished score so far."""
    total = sum(trial.seconds for trial in trials)
    unit, seconds = ("hours", 3600.0) if total >= 2 * 3600 else ("minutes", 60.0)
    spent = tuple(accumulate(trial.seconds / seconds for trial in trials))
    best: list[tuple[float, float]] = []
    for compute, trial in zip(spent, trials, strict=True):
        if trial.kind == "finished" and (not best or trial.val_bpd < best[-1][1]):
            best.append((compute, trial.val_bpd))
    if best:
        best.append((spent[-1], best[-1][1]))
    return ScoreAgainstCompute(unit, spent, tuple(best))


def score_range(trials: Sequence[PlottedTrial]) -> tuple[float, float] | None:
    """Return the range of last scores of trials without faults; first reports may be far above."""
    last = [trial.val_bpd for trial in trials if trial.kind in ("finished", "pruned")]
    if not last:
        return None
    low, high = min(last), max(last)
    margin = max(0.06 * (high - low), 0.01)
    return low - margin, high + 2 * margin


def rate_distortion_ranges(
    trials: Sequence[PlottedTrial], ppca: Sequence[PpcaPoint]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return ranges of rate and distortion that hold the finished trials (all trials if few finished) and pPCA nearby.

    Trials that were stopped early may be far away.
    """
    finished = [trial for trial in trials if trial.kind == "finished"]
    shown = finished if len(finished) >= _ENOUGH else trials
    rates = _with_margin([trial.rate_nats for trial in shown])
    ppca_distortions = [point.distortion_nats for point in ppca if rates[0] <= point.rate_nats <= rates[1]]
    return rates, _with_margin([*(trial.distortion_nats for trial in shown), *ppca_distortions])


def _with_margin(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = max(0.12 * (high - low), 1.0)
    return low - margin, high + margin
