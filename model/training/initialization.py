"""Initial model of a run: weights drawn by the seed, linear path set from the training images."""

import torch
from torch import Tensor

from model.config import TrainConfig
from model.network.vae import ConvVAE
from model.scoring import ppca


def untrained_model(config: TrainConfig, images: Tensor | None = None) -> ConvVAE:
    """Create the model that a run starts from; its weights follow from the seed alone.

    Args:
        config: architecture and seed.
        images: training images, uint8 (N, C, H, W). The linear path, if the model has one, is set to their
            probabilistic PCA, with at most N / 10 directions. None leaves it at zero, for a model whose weights are
            then read from a file.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = ConvVAE.from_config(config)
    if model.linear is not None and images is not None:
        components = ppca.fit(images)
        n_directions = ppca.n_directions(config.latent_dim, len(images), config.n_dims)
        variances, noise_variance = components.variances[:n_directions], components.noise_variance(n_directions)
        model.linear.set_to(components.mean, components.eigenvectors[:, :n_directions], variances, noise_variance)
    return model
