"""Probabilistic PCA's score on a study's validation split, computed once and kept."""

import json
from dataclasses import dataclass

from hpo.storage.paths import StudyPaths
from model.atomic_files import write_text
from model.data.images import ImageData
from model.scoring import ppca
from model.scoring.ppca import RateDistortion


@dataclass(frozen=True)
class PpcaBaseline:
    """Of each latent size its bits per dimension, and its rate and distortion; the latter empty in older files."""

    digest: str
    bpd: dict[int, float]
    curve: dict[int, RateDistortion]


def compute_ppca_baseline(paths: StudyPaths, data: ImageData, max_latent_dim: int) -> dict[int, float]:
    """Validation bits per dimension of pPCA, fitted on the training split, for each size up to `max_latent_dim`."""
    kept = load_ppca_baseline(paths)
    if (
        kept is not None
        and kept.digest == data.digest
        and _covers(kept, min(max_latent_dim, _largest_determined(data)))
    ):
        return kept.bpd
    sizes = list(range(1, max_latent_dim + 1))
    curve = ppca.rate_distortion(ppca.fit(data.train.images), data.validation.images, sizes)
    contents = {
        "digest": data.digest,
        "validation_bpd": {str(d): round(one.bpd, 6) for d, one in curve.items()},
        "validation_rate_nats": {str(d): round(one.rate_nats, 3) for d, one in curve.items()},
        "validation_distortion_nats": {str(d): round(one.distortion_nats, 3) for d, one in curve.items()},
    }
    write_text(paths.yardstick, json.dumps(contents))
    return {d: one.bpd for d, one in curve.items()}


def load_ppca_baseline(paths: StudyPaths) -> PpcaBaseline | None:
    """What is kept; None where the file is absent or torn: it only costs seconds to make it again."""
    try:
        contents = json.loads(paths.yardstick.read_text())
        bpd, rates, distortions = (
            {int(d): float(value) for d, value in contents.get(f"validation_{name}", {}).items()}
            for name in ("bpd", "rate_nats", "distortion_nats")
        )
        curve = {d: RateDistortion(rates[d], distortions[d]) for d in rates}
        return PpcaBaseline(contents["digest"], bpd, curve)
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def _covers(kept: PpcaBaseline, max_latent_dim: int) -> bool:
    """Whether every size up to this one is there, with its rate; an older file without rates is made anew."""
    return kept.curve.keys() == kept.bpd.keys() and max(kept.bpd, default=0) >= max_latent_dim


def _largest_determined(data: ImageData) -> int:
    return min(len(data.train), data.train.images[0].numel()) - 1


def ppca_verdict(bpd: float, ppca_bpd: float, *, overfitted: bool) -> str:
    """Compare a model's score with pPCA of the same latent dimension on the same split, both in bits/dim.

    This is the only place that words the comparison: terminal, pages and notes all show this text. `overfitted` says
    that an earlier epoch scored notably better than the last.
    """
    difference = f"{abs(ppca_bpd - bpd):.4f}"
    if bpd < ppca_bpd:
        return f"beaten by {difference}"
    return f"not beaten, behind by {difference}: the model {'has overfitted' if overfitted else 'is undertrained'}"
