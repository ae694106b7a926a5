"""The numbers of a finished run: what metrics.json holds. The only place that looks at the test split."""

import math
from typing import Any

import numpy as np
import torch

from hpo.storage import provenance
from model.data.images import ImageData, LabelledImages
from model.device import Runtime
from model.network.vae import ConvVAE
from model.scoring import ppca
from model.scoring.evaluation import active_units, encode, evaluate, importance_weighted_bpd
from model.training.training_loop import TrainState

# The importance-weighted bound costs k decodings an image: a fixed subset is enough.
N_IMPORTANCE_IMAGES = 1000
_TEST_METRICS = (
    *("test_bpd", "test_mse", "test_psnr_db", "test_rate_nats", "test_distortion_nats"),
    *("test_importance_weighted", "ppca_bpd"),
)


def score(
    state: TrainState, data: ImageData, history: list[dict[str, float]], importance_samples: int | None
) -> dict[str, Any]:
    """Everything that is known of a run once it is trained; `data` lies on its device.

    Where `importance_samples` is None the test split is not looked at, and what would be known of it is None.
    """
    sigma, linear = history[-1]["sigma"], ppca.fit(data.train.images)
    test = dict.fromkeys(_TEST_METRICS)
    if importance_samples is not None:
        test = test_metrics(state.model, data, state.runtime, sigma, importance_samples, linear)
    return {
        **_how_it_was_trained(state, history),
        "val_bpd": history[-1]["val_bpd"],
        **test,
        "sigma": sigma,
        "active_units": active_units(encode(state.model, data.validation.images, state.runtime)[0]),
        "ppca_val_bpd": _yardstick(linear, data.validation, state.config.latent_dim),
        "data": provenance.data_facts(data),
        "versions": provenance.versions(),
        "git_commit": provenance.git_commit(),
    }


def test_metrics(
    model: ConvVAE, data: ImageData, runtime: Runtime, sigma: float, importance_samples: int, linear: ppca.PPCA
) -> dict[str, Any]:
    """The test split's part, the tighter bound with `importance_samples` draws an image."""
    test = evaluate(model, data.test.images, sigma, runtime)
    # Evenly spaced: in a folder of one's own the images lie class by class.
    n_images = min(N_IMPORTANCE_IMAGES, len(data.test))
    subset = data.test.images[((torch.arange(n_images) + 0.5) * len(data.test) / n_images).long()]
    bound = importance_weighted_bpd(model, subset, sigma, runtime, n_samples=importance_samples)
    weighted = {
        "n_samples": importance_samples,
        "n_images": len(subset),
        "bpd": bound,
        "elbo_bpd_of_the_same_images": evaluate(model, subset, sigma, runtime).bpd,
    }
    values = (
        *(test.bpd, test.mse, -10 * math.log10(test.mse), test.rate_nats, test.distortion_nats),
        *(weighted, _yardstick(linear, data.test, model.latent_dim)),
    )
    return dict(zip(_TEST_METRICS, values, strict=True))


def _how_it_was_trained(state: TrainState, history: list[dict[str, float]]) -> dict[str, Any]:
    config = state.config
    names = ("beta", "latent_dim", "learning_rate", "batch_size")
    return {
        "hyperparameters": {name: getattr(config, name) for name in names},
        "architecture": config.architecture,
        "linear_path": config.linear_path,
        "seed": config.seed,
        "epochs": config.epochs,
        "skipped_updates": state.skipped_updates,
        "images_per_second": float(np.median([row["images_per_second"] for row in history[1:]])),
        "elapsed_s": state.elapsed_s,
        "device": state.runtime.device.type,
        "precision": state.runtime.precision,
    }


def _yardstick(linear: ppca.PPCA, split: LabelledImages, latent_dim: int) -> float | None:
    """Bits per dimension of probabilistic PCA on a split."""
    return ppca.score(linear, split.images, [latent_dim]).get(latent_dim)
