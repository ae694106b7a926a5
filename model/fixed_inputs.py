"""The same images and prior draws for every epoch, trial and run: what changes between pictures is the model."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.data.images import LabelledImages
from model.device import seeded_generator

N_IMAGES, N_SAMPLES = 10, 20
_SAMPLES_SEED = 4


def prior_draws(latent_dim: int) -> Tensor:
    """The same draws of the prior for every model of this size: (N_SAMPLES, Z)."""
    return torch.randn(N_SAMPLES, latent_dim, generator=seeded_generator(_SAMPLES_SEED))


def fixed_images(images: LabelledImages, n_images: int) -> Tensor:
    """A fixed choice of images, evenly over the classes: uint8 (N, 3, 32, 32)."""
    return images.images[fixed_positions(images, n_images).to(images.images.device)]


def fixed_positions(images: LabelledImages, n_images: int) -> Tensor:
    """Where those images lie in the split, class by class: int64 (N,), at most one for each image there is."""
    n_images = min(n_images, len(images))
    by_class = images.labels.argsort(stable=True)
    return by_class[((torch.arange(n_images) + 0.5) * len(images) / n_images).long()]


def as_pixels(images: Tensor) -> NDArray[np.uint8]:
    """uint8 (N, 3, H, W) on any device as an array (N, H, W, 3)."""
    return np.ascontiguousarray(images.cpu().permute(0, 2, 3, 1).numpy())
