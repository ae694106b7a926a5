"""The model that a run begins with."""

import torch
from torch import Tensor

from model.config import DIMENSIONS, TrainConfig
from model.network.vae import ConvVAE
from model.scoring import ppca

# A direction that fewer images determine fits them and no others, and leaves a noise far too small.
_IMAGES_A_DIRECTION = 10


def untrained_model(config: TrainConfig, images: Tensor | None = None) -> ConvVAE:
    """Its weights follow from the seed; its linear path, where it has one, from uint8 `images` (N, 3, 32, 32).

    The path has no more directions than a tenth of the images. Without images it stays zero, for weights that are about
    to be read from a file.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = ConvVAE.of(config)
    if model.linear is not None and images is not None:
        components = ppca.fit(images)
        n = min(config.latent_dim, DIMENSIONS - 1, len(images) // _IMAGES_A_DIRECTION)
        variances, noise = components.variances[:n], components.noise_variance(n)
        model.linear.set_to(components.mean, components.eigenvectors[:, :n], variances, noise)
    return model
