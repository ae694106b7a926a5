"""Probabilistic PCA as the baseline of a study: its validation scores, computed once and kept in the study's folder."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from optuna.study import Study

from hpo.analysis.formatting import counted
from hpo.analysis.trial_table import TrialRow
from hpo.storage.backend import backend_of
from hpo.storage.fingerprint import stored_fingerprint
from hpo.storage.paths import StudyPaths
from model.atomic_files import write_text
from model.config import DIMENSIONS
from model.data.images import ImageData
from model.scoring import ppca
from model.scoring.ppca import RateDistortion

_UNDERTRAINED, _OVERFITTED = "is undertrained", "has overfitted"
PPCA_EXPLANATION = (
    "The baseline is probabilistic PCA (pPCA), the best linear model with the same number of latent dimensions, scored "
    f"in the same way: a VAE that does not beat it {_UNDERTRAINED} or {_OVERFITTED}."
)


@dataclass(frozen=True)
class PpcaBaseline:
    """Bits per dimension (`bpd`), rate and distortion (`curve`) at each latent dimension.

    `digest` identifies the images. `curve` is empty and `images_per_direction` None in files of older versions.
    """

    digest: str
    bpd: dict[int, float]
    curve: dict[int, RateDistortion]
    images_per_direction: int | None = None

    def best_model(self, longer_than: int, largest_latent_dim: int) -> "LinearModel | None":
        """Return the linear model of the lowest score with so many dimensions; None if the file has none of these."""
        within = {d: bpd for d, bpd in self.bpd.items() if longer_than < d <= largest_latent_dim}
        return LinearModel(best := min(within, key=within.__getitem__), within[best]) if within else None

    def different_models(
        self, largest_latent_dim: int, n_train: int, n_dims: int = DIMENSIONS
    ) -> list[tuple[int, float]]:
        """Return (latent dimension, score) of the linear models up to this latent dimension, ascending.

        Those with more dimensions than `n_train` images of `n_dims` values determine are left out: they are all the
        same model.
        """
        largest = ppca.n_directions(largest_latent_dim, n_train, n_dims)
        return sorted((d, bpd) for d, bpd in self.bpd.items() if d <= largest)

    def model_at_rate(self, rate_nats: float) -> "LinearModel | None":
        """Return the linear model whose rate is this one, its score interpolated between two latent dimensions.

        None if the rate lies beyond the curve.
        """
        latent_dims = sorted(self.curve, key=lambda d: self.curve[d].rate_nats)
        rates = [self.curve[d].rate_nats for d in latent_dims]
        if not rates or not rates[0] <= rate_nats <= rates[-1]:
            return None
        latent_dim = round(float(np.interp(rate_nats, rates, latent_dims)))
        return LinearModel(latent_dim, float(np.interp(rate_nats, rates, [self.curve[d].bpd for d in latent_dims])))


# Of a study whose folder has no baseline.
NO_BASELINE = PpcaBaseline("", {}, {})


@dataclass(frozen=True)
class LinearModel:
    """Probabilistic PCA with so many latent dimensions, and its score in bits/dim."""

    latent_dim: int
    bpd: float


@dataclass(frozen=True)
class PpcaVerdict:
    """Comparison of a model with pPCA of the same latent dimension, or of the same rate.

    `difference` is pPCA's score less the model's, in bits/dim: positive if pPCA `is_beaten`. `comparison` is a phrase
    about pPCA, `text` the same with the cause, `advice` a sentence that follows it.
    """

    is_beaten: bool
    difference: float
    comparison: str
    text: str
    advice: str


def compute_ppca_baseline(paths: StudyPaths, data: ImageData, max_latent_dim: int) -> PpcaBaseline:
    """Return pPCA's validation scores, fitted on the training split, for 1 to `max_latent_dim` dimensions.

    Reads the study's file if it covers these images and dimensions, else computes and writes it.
    """
    baseline = load_ppca_baseline(paths)
    if baseline is not None and baseline.digest == data.digest and _covers(baseline, max_latent_dim, len(data.train)):
        return baseline
    latent_dims = list(range(1, max_latent_dim + 1))
    curve = ppca.rate_distortion(ppca.fit(data.train.images), data.validation.images, latent_dims)
    contents = {
        "digest": data.digest,
        "images_per_direction": ppca.IMAGES_PER_DIRECTION,
        "n_dims": math.prod(data.image_shape),
        "validation_bpd": {str(d): round(point.bpd, 6) for d, point in curve.items()},
        "validation_rate_nats": {str(d): round(point.rate_nats, 3) for d, point in curve.items()},
        "validation_distortion_nats": {str(d): round(point.distortion_nats, 3) for d, point in curve.items()},
    }
    write_text(paths.ppca_baseline, json.dumps(contents))
    backend_of(paths).files.share(paths.ppca_baseline)
    return PpcaBaseline(data.digest, {d: point.bpd for d, point in curve.items()}, curve, ppca.IMAGES_PER_DIRECTION)


def load_ppca_baseline(paths: StudyPaths) -> PpcaBaseline | None:
    """Read the study's file; None if it is missing or torn, since it takes only seconds to compute again."""
    backend_of(paths).files.fetch(paths.ppca_baseline)
    try:
        contents = json.loads(paths.ppca_baseline.read_text())
        bpd, rates, distortions = (
            {int(d): float(value) for d, value in contents.get(f"validation_{name}", {}).items()}
            for name in ("bpd", "rate_nats", "distortion_nats")
        )
        n_dims = contents.get("n_dims", DIMENSIONS)
        curve = {d: RateDistortion(rates[d], distortions[d], n_dims) for d in rates}
        return PpcaBaseline(contents["digest"], bpd, curve, contents.get("images_per_direction"))
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def ppca_baseline_of(study: Study, paths: StudyPaths) -> PpcaBaseline:
    """Return the baseline in the study's folder; an empty one if it is missing, torn, or of other images."""
    baseline = load_ppca_baseline(paths)
    digest = str(json.loads(stored_fingerprint(study)["data.digest"]))
    return baseline if baseline and baseline.digest.startswith(digest) else NO_BASELINE


def ppca_name(latent_dim: int, n_train: int, n_dims: int = DIMENSIONS) -> str:
    """Return the linear model's name in a sentence: `probabilistic PCA with 12 dimensions`.

    With too few training images it has fewer dimensions than the VAE, see `model.scoring.ppca`; then it says so.
    """
    n_directions = ppca.n_directions(latent_dim, n_train, n_dims)
    is_few = n_directions == n_train // ppca.IMAGES_PER_DIRECTION < latent_dim
    few = f" (a tenth of the {n_train:,} training images)" if is_few else ""
    return f"probabilistic PCA with {counted(n_directions, 'dimension')}{few}"


def ppca_verdict(bpd: float, ppca_bpd: float, *, overfitted: bool) -> PpcaVerdict:
    """Compare a model's score with pPCA's on the same split, both in bits/dim.

    Terminal, pages, notes and figures take the verdict and its words from here.
    `overfitted` says that an earlier epoch scored notably better than the last.
    """
    difference = ppca_bpd - bpd
    if bpd < ppca_bpd:
        comparison = f"beaten by {difference:.4f}"
        return PpcaVerdict(True, difference, comparison, comparison, "The VAE's nonlinear networks pay off.")
    comparison = f"not beaten, behind by {abs(difference):.4f}"
    cause, epochs = (_OVERFITTED, "Fewer") if overfitted else (_UNDERTRAINED, "More")
    return PpcaVerdict(
        is_beaten=False,
        difference=difference,
        comparison=comparison,
        text=f"{comparison}: the model {cause}",
        advice=f"{epochs} epochs, or other values, may bring it below.",
    )


def trials_that_beat_ppca(rows: Iterable[TrialRow], baseline: PpcaBaseline) -> dict[int, bool]:
    """Return, by number, whether each finished trial beats pPCA of its size; trials without a baseline are missing."""
    return {
        row.number: ppca_verdict(row.val_bpd, ppca_bpd, overfitted=row.earlier_best is not None).is_beaten
        for row in rows
        if row.kind == "finished" and row.val_bpd is not None
        if (ppca_bpd := baseline.bpd.get(int(row.values["latent_dim"]))) is not None
    }


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
