"""Computes the numbers of a finished run, metrics.json. This is the only module that reads the test split."""

from typing import Any

import numpy as np
import torch

from hpo.analysis.run_metrics import (
    ImageCounts,
    ImportanceWeighted,
    RunMetrics,
    SplitScores,
    TrialOrigin,
    entries_of_test_split,
)
from hpo.storage import provenance
from model.config import SETTINGS
from model.data.images import ImageData, LabelledImages
from model.device import Runtime
from model.network.vae import ConvVAE
from model.scoring import codeless_gaussian, ppca
from model.scoring.bootstrap import bootstrap_interval
from model.scoring.evaluation import active_units, encode, evaluate, importance_weighted_bpd
from model.training.train_state import TrainState

# The importance-weighted bound takes k decodings per image: a fixed subset is enough.
N_IMPORTANCE_IMAGES = 1000


def score(
    state: TrainState,
    data: ImageData,
    history: list[dict[str, float]],
    importance_samples: int | None,
    origin: TrialOrigin | None,
) -> RunMetrics:
    """Score a run whose training has ended.

    Args:
        state: the trained model.
        data: images on the run's device.
        history: rows of metrics.csv.
        importance_samples: draws per image for the importance-weighted bound; None leaves the test split unread.
        origin: trial that the run retrains.
    """
    sigma, linear, config = history[-1]["sigma"], ppca.fit(data.train.images), state.config
    validation = evaluate(state.model, data.validation.images, sigma, state.runtime)
    test, weighted = None, None
    if importance_samples is not None:
        test, weighted = _score_test_split(state.model, data, state.runtime, sigma, importance_samples, linear)
    return RunMetrics(
        origin=origin,
        hyperparameters={name: getattr(config, name) for name, setting in SETTINGS.items() if setting.searchable},
        architecture=config.architecture,
        linear_path=config.linear_path,
        seed=config.seed,
        epochs=config.epochs,
        skipped_updates=state.skipped_updates,
        images_per_second=float(np.median([row["images_per_second"] for row in history[1:]])),
        elapsed_s=state.elapsed_s,
        device=state.runtime.device.type,
        precision=state.runtime.precision,
        val_bpd=history[-1]["val_bpd"],
        val_bpd_interval=bootstrap_interval(validation.bpd_per_image),
        test=test,
        importance_weighted=weighted,
        sigma=sigma,
        active_units=active_units(encode(state.model, data.validation.images, state.runtime)[0]),
        ppca_val_bpd=_ppca_bpd(linear, data.validation, config.latent_dim),
        codeless_val_bpd=_codeless_bpd(data.train, data.validation),
        data=ImageCounts.from_dict(provenance.data_facts(data)),
        versions=provenance.versions(),
        git_commit=provenance.git_commit(),
    )


def test_split_entries(
    model: ConvVAE, data: ImageData, runtime: Runtime, sigma: float, importance_samples: int, linear: ppca.PPCA
) -> dict[str, Any]:
    """Score the test split; return its entries of metrics.json.

    The importance-weighted bound takes `importance_samples` draws per image.
    """
    return entries_of_test_split(*_score_test_split(model, data, runtime, sigma, importance_samples, linear))


def _score_test_split(
    model: ConvVAE, data: ImageData, runtime: Runtime, sigma: float, importance_samples: int, linear: ppca.PPCA
) -> tuple[SplitScores, ImportanceWeighted]:
    test = evaluate(model, data.test.images, sigma, runtime)
    # Evenly spaced: in a folder of the user's own, images are ordered by class.
    n_images = min(N_IMPORTANCE_IMAGES, len(data.test))
    subset = data.test.images[((torch.arange(n_images) + 0.5) * len(data.test) / n_images).long()]
    weighted = ImportanceWeighted(
        n_samples=importance_samples,
        n_images=len(subset),
        bpd=importance_weighted_bpd(model, subset, sigma, runtime, n_samples=importance_samples),
        elbo_bpd_of_the_same_images=evaluate(model, subset, sigma, runtime).bpd,
    )
    scores = SplitScores(
        bpd=test.bpd,
        bpd_interval=bootstrap_interval(test.bpd_per_image),
        rate_nats=test.rate_nats,
        distortion_nats=test.distortion_nats,
        mse=test.mse,
        ppca_bpd=_ppca_bpd(linear, data.test, model.latent_dim),
        codeless_bpd=_codeless_bpd(data.train, data.test),
    )
    return scores, weighted


def _ppca_bpd(linear: ppca.PPCA, split: LabelledImages, latent_dim: int) -> float | None:
    """Return the score of probabilistic PCA on a split, in bits/dim."""
    return ppca.score(linear, split.images, [latent_dim]).get(latent_dim)


def _codeless_bpd(training: LabelledImages, split: LabelledImages) -> float | None:
    """Return the score of a Gaussian without a code on a split, in bits/dim; None if the images do not determine it."""
    if len(training) < codeless_gaussian.MIN_IMAGES:
        return None
    return codeless_gaussian.score(codeless_gaussian.fit(training.images), split.images)
