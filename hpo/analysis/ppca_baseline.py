"""Probabilistic PCA as the baseline of a study: its validation scores, computed once and kept in the study's folder."""

import json
from dataclasses import dataclass

from optuna.study import Study

from hpo.storage.fingerprint import stored_fingerprint
from hpo.storage.paths import StudyPaths
from model.atomic_files import write_text
from model.data.images import ImageData
from model.scoring import ppca
from model.scoring.ppca import RateDistortion


@dataclass(frozen=True)
class PpcaBaseline:
    """Bits per dimension (`bpd`), rate and distortion (`curve`) at each latent dimension.

    `digest` identifies the images. `curve` is empty and `images_per_direction` None in files of older versions.
    """

    digest: str
    bpd: dict[int, float]
    curve: dict[int, RateDistortion]
    images_per_direction: int | None = None


def compute_ppca_baseline(paths: StudyPaths, data: ImageData, max_latent_dim: int) -> dict[int, float]:
    """Return pPCA's validation bits per dimension, fitted on the training split, for 1 to `max_latent_dim` dimensions.

    Reads the study's file if it covers these images and dimensions, else computes and writes it.
    """
    baseline = load_ppca_baseline(paths)
    if baseline is not None and baseline.digest == data.digest and _covers(baseline, max_latent_dim, len(data.train)):
        return baseline.bpd
    latent_dims = list(range(1, max_latent_dim + 1))
    curve = ppca.rate_distortion(ppca.fit(data.train.images), data.validation.images, latent_dims)
    contents = {
        "digest": data.digest,
        "images_per_direction": ppca.IMAGES_PER_DIRECTION,
        "validation_bpd": {str(d): round(point.bpd, 6) for d, point in curve.items()},
        "validation_rate_nats": {str(d): round(point.rate_nats, 3) for d, point in curve.items()},
        "validation_distortion_nats": {str(d): round(point.distortion_nats, 3) for d, point in curve.items()},
    }
    write_text(paths.ppca_baseline, json.dumps(contents))
    return {d: point.bpd for d, point in curve.items()}


def load_ppca_baseline(paths: StudyPaths) -> PpcaBaseline | None:
    """Read the study's file; None if it is missing or torn, since it takes only seconds to compute again."""
    try:
        contents = json.loads(paths.ppca_baseline.read_text())
        bpd, rates, distortions = (
            {int(d): float(value) for d, value in contents.get(f"validation_{name}", {}).items()}
            for name in ("bpd", "rate_nats", "distortion_nats")
        )
        curve = {d: RateDistortion(rates[d], distortions[d]) for d in rates}
        return PpcaBaseline(contents["digest"], bpd, curve, contents.get("images_per_direction"))
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def ppca_baseline_of(study: Study, paths: StudyPaths) -> PpcaBaseline:
    """Return the baseline in the study's folder; an empty one if it is missing, torn, or of other images."""
    baseline = load_ppca_baseline(paths)
    digest = str(json.loads(stored_fingerprint(study)["data.digest"]))
    return baseline if baseline and baseline.digest.startswith(digest) else PpcaBaseline("", {}, {})


def ppca_verdict(bpd: float, ppca_bpd: float, *, overfitted: bool) -> str:
    """Compare a model's score with pPCA of the same latent dimension on the same split, both in bits/dim.

    This is the only place that words the comparison: terminal, pages and notes all show this text. `overfitted` says
    that an earlier epoch scored notably better than the last.
    """
    difference = f"{abs(ppca_bpd - bpd):.4f}"
    if bpd < ppca_bpd:
        return f"beaten by {difference}"
    return f"not beaten, behind by {difference}: the model {'has overfitted' if overfitted else 'is undertrained'}"


def _covers(baseline: PpcaBaseline, max_latent_dim: int, n_train: int) -> bool:
    """Return True if every dimension up to this one is there, with its rate, and with as many directions as now.

    Older versions gave a model as many directions as dimensions, however few images there were.
    """
    has_directions = baseline.images_per_direction == ppca.IMAGES_PER_DIRECTION
    return (
        (has_directions or n_train >= ppca.IMAGES_PER_DIRECTION * max_latent_dim)
        and baseline.curve.keys() == baseline.bpd.keys()
        and max(baseline.bpd, default=0) >= max_latent_dim
    )
