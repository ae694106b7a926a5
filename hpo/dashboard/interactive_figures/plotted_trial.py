"""Trials as plain values, for every interactive figure."""

from dataclasses import dataclass

from hpo.analysis.trial_table import TrialRow


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


def plotted_trials(rows: list[TrialRow]) -> list[PlottedTrial]:
    """Return the ended trials that made a report, in the form that figures take."""
    return [trial for row in rows if (trial := _plotted_trial(row))]


def _plotted_trial(row: TrialRow) -> PlottedTrial | None:
    if (
        row.kind == "running"
        or row.val_bpd is None
        or row.rate_nats is None
        or row.distortion_nats is None
        or row.own_elapsed_s is None
    ):
        return None
    return PlottedTrial(
        number=row.number,
        kind=row.kind,
        beta=float(row.values["beta"]),
        latent_dim=int(row.values["latent_dim"]),
        rate_nats=row.rate_nats,
        distortion_nats=row.distortion_nats,
        val_bpd=row.val_bpd,
        seconds=row.own_elapsed_s,
        curve=row.curve,
    )
