"""Fixed inputs of all pictures: the same images and prior draws in every epoch, trial and run.

Between two pictures of this project only the model differs, so they can be compared.
"""

import torch
from torch import Tensor

from model.data.images import LabelledImages
from model.device import seeded_generator

# Numbers of reconstructed images and of decoded latent vectors in a trial's pictures and in a run's frames.
N_IMAGES, N_SAMPLES = 10, 20
_SAMPLES_SEED = 4


def prior_draws(latent_dim: int) -> Tensor:
    """Draw the latent vectors that every picture of samples decodes, shape (N_SAMPLES, Z).

    The seed is fixed: all models with this latent dimension, at every epoch, decode the same draws of N(0, I).
    """
    return torch.randn(N_SAMPLES, latent_dim, generator=seeded_generator(_SAMPLES_SEED))


def fixed_images(images: LabelledImages, n_images: int) -> Tensor:
    """Select the images that every picture of reconstructions shows, uint8 (N, C, H, W).

    The choice depends only on the split and `n_images`, not on model, trial or epoch; see `fixed_positions`.
    """
    return images.images[fixed_positions(images, n_images).to(images.images.device)]


def fixed_positions(images: LabelledImages, n_images: int) -> Tensor:
    """Return the indices in the split of the images that pictures show, int64 (N,), N = min(n_images, len(images)).

    The images are evenly spaced in the split sorted by class, so that the classes appear in order and equally often:
    index floor((i + 1/2) len(images) / N) for i = 0, ..., N - 1.
    """
    n_images = min(n_images, len(images))
    by_class = images.labels.argsort(stable=True)
    return by_class[((torch.arange(n_images) + 0.5) * len(images) / n_images).long()]
