"""The numbers of a finished run: what metrics.json holds. The only place that looks at the test split."""

import math
from typing import Any

import numpy as np
import torch

from hpo import provenance
from model import ppca
from model.data import ImageData
from model.evaluate import active_units, encode, evaluate, importance_weighted_bpd
from model.train import TrainState

# The importance-weighted bound costs k decodings an image: a fixed subset is enough.
N_IMPORTANCE_IMAGES = 1000


def score(
    state: TrainState, data: ImageData, history: list[dict[str, float]], importance_samples: int
) -> dict[str, Any]:
    """Everything that is known of a run once it is trained; `data` lies on its device."""
    return {
        **_how_it_was_trained(state, history),
        "val_bpd": history[-1]["val_bpd"],
        **_test_metrics(state, data, history[-1]["sigma"], importance_samples),
        "sigma": history[-1]["sigma"],
        "active_units": active_units(encode(state.model, data.validation.images, state.runtime)[0]),
        **_yardstick(data, state.config.latent_dim),
        "data": provenance.data_facts(data),
        "versions": provenance.versions(),
        "git_commit": provenance.git_commit(),
    }


def _how_it_was_trained(state: TrainState, history: list[dict[str, float]]) -> dict[str, Any]:
    config = state.config
    names = ("beta", "latent_dim", "learning_rate", "batch_size")
    return {
        "hyperparameters": {name: getattr(config, name) for name in names},
        "seed": config.seed,
        "epochs": config.epochs,
        "skipped_updates": state.skipped_updates,
        "images_per_second": float(np.median([row["images_per_second"] for row in history[1:]])),
        "elapsed_s": state.elapsed_s,
        "device": state.runtime.device.type,
        "precision": state.runtime.precision,
    }


def _test_metrics(state: TrainState, data: ImageData, sigma: float, importance_samples: int) -> dict[str, Any]:
    test = evaluate(state.model, data.test.images, sigma, state.runtime)
    # Evenly spaced: in a folder of one's own the images lie class by class.
    n_images = min(N_IMPORTANCE_IMAGES, len(data.test))
    subset = data.test.images[((torch.arange(n_images) + 0.5) * len(data.test) / n_images).long()]
    bound = importance_weighted_bpd(state.model, subset, sigma, state.runtime, n_samples=importance_samples)
    return {
        "test_bpd": test.bpd,
        "test_mse": test.mse,
        "test_psnr_db": -10 * math.log10(test.mse),
        "test_rate_nats": test.rate_nats,
        "test_distortion_nats": test.distortion_nats,
        "test_importance_weighted": {
            "n_samples": importance_samples,
            "n_images": len(subset),
            "bpd": bound,
            "elbo_bpd_of_the_same_images": evaluate(state.model, subset, sigma, state.runtime).bpd,
        },
    }


def _yardstick(data: ImageData, latent_dim: int) -> dict[str, float | None]:
    linear = ppca.fit(data.train.images)
    return {
        "ppca_bpd": ppca.score(linear, data.test.images, [latent_dim]).get(latent_dim),
        "ppca_val_bpd": ppca.score(linear, data.validation.images, [latent_dim]).get(latent_dim),
    }
