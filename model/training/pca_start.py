"""First step of a training of `linear_skip`: its linear skip is set to probabilistic PCA (pPCA), not by gradients.

pPCA is the best linear VAE (Lucas et al. 2019) and takes seconds. The last layer of each stack of convolutions is set
to zero, so that the model is pPCA, and gradient descent goes on from there. Without this step a network with a long
code, or with few images, spends most of its training on directions that are known in closed form.

Adam changes each weight by about the learning rate, however small the weight: at the convolutions' rate it undoes what
was set here within a hundred updates. So these weights learn more slowly (`TrainConfig.skip_learning_rate`).

N images, C channels, H W pixels, D = C H W values of an image, n directions.
"""

import math
import time
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from model.data.images import to_unit
from model.device import seeded_generator
from model.network.image_margin import with_margin
from model.network.linear_skip import PIXEL_GAIN, SkipDown, SkipUp
from model.network.vae import GREY, LOG_VARIANCE_BOUND, ConvVAE
from model.scoring.elbo import DEQUANTIZATION_VARIANCE
from model.scoring.ppca import n_directions
from model.training.train_state import TrainState

# The directions of 10,000 images hold 99.9% of the variance that those of 45,000 do, at any number up to 512.
_N_IMAGES, _SUBSET_SEED = 10_000, 4
_OVERSAMPLING = 32
_LARGEST_SHARE_OF_BOUND = 0.99
_SMALL = 0.1


@dataclass(frozen=True)
class _Components:
    """Mean of the images around grey (D,), directions (D, n), variances along them (n,), the sum of all variances."""

    mean: Tensor
    directions: Tensor
    variances: Tensor
    total_variance: float


def start_from_pca(state: TrainState, images: Tensor) -> bool:
    """Set the linear skip of a state's model to pPCA, once before the first update, if its configuration says so.

    Args:
        state: of a training on `images`, changed in place; its clock counts the seconds that this takes.
        images: training images, uint8 (N, C, H, W).

    Returns: True if the weights were changed.
    """
    if state.step or state.started_from_pca or not state.config.starts_with_pca:
        return False
    started = time.perf_counter()
    changed = set_to_principal_components(state.model, images, alone=state.config.skip_learning_rate < 1)
    state.started_from_pca = True
    state.elapsed_s += time.perf_counter() - started
    return changed


@torch.no_grad()
def set_to_principal_components(model: ConvVAE, images: Tensor, *, alone: bool) -> bool:
    """Set the linear skip of a model to pPCA, in place; return True if anything was changed.

    With fewer than ten images for each latent dimension, the others keep their random directions; with fewer than ten
    images nothing is changed.

    Args:
        model: of architecture `linear_skip`, before its first update.
        images: training images, uint8 (N, C, H, W).
        alone: let the convolutions begin by adding nothing; otherwise their random weights stay.
    """
    down, up, encoder, project = model.encoder.trunk, model.decoder.trunk, model.encoder, model.decoder.project
    assert isinstance(down, SkipDown) and isinstance(up, SkipUp)
    n = n_directions(model.latent_dim, len(images), images[0].numel())
    if n == 0:
        return False
    components, device = _fit(images, 2 ** math.ceil(math.log2(n))), project.weight.device
    variances = components.variances[:n].to(device) + DEQUANTIZATION_VARIANCE
    remaining = components.total_variance - float(components.variances[:n].sum())
    noise_variance = remaining / (images[0].numel() - n) + DEQUANTIZATION_VARIANCE
    # Tipping & Bishop 1999, section 3.1, as in LinearPath.
    decoding = (variances - noise_variance).clamp(min=0).sqrt()
    encoding, log_variance = decoding / variances, (noise_variance / variances).clamp(max=1).log()

    as_images = torch.cat([components.mean[None], components.directions[:, :n].T]).unflatten(1, images.shape[1:])
    # The embedding is linear: it maps directions of images to directions of its map.
    mean_F, *directions_nF = down.embedding(with_margin(as_images.to(device), encoder.margin)).flatten(1)
    directions = torch.stack(directions_nF)
    n_reached = directions.shape[1]
    encoder.mean.weight[:n, :n_reached] = directions * encoding[:, None] / PIXEL_GAIN
    encoder.mean.bias[:n] = -(directions @ mean_F) * encoding
    # The inverse of the encoder's bound.
    bounded = (log_variance / LOG_VARIANCE_BOUND).clamp(min=-_LARGEST_SHARE_OF_BOUND)
    encoder.log_variance.bias[:n] = LOG_VARIANCE_BOUND * torch.atanh(bounded)
    project.weight[:n_reached, :n] = (directions * decoding[:, None]).T * PIXEL_GAIN
    project.bias[:n_reached] = mean_F * PIXEL_GAIN
    if alone:
        # Dimensions beyond the directions begin without an effect on images, and nearly without a rate. 1,000 images,
        # 256 dimensions of which 100 are set, six epochs: 6.56 bits, with their random weights 6.59.
        project.weight[:, n:] = 0
        encoder.mean.weight[n:] *= _SMALL
        encoder.log_variance.bias[n:] = 0
        # The map beside that of the linear skip.
        encoder.mean.weight[:, n_reached:] = 0
        for stack in (down.beside, up.above, up.beside):
            for layer in stack.convolutions[-1:]:
                nn.init.zeros_(layer.weight)
    return True


@lru_cache(maxsize=2)
def _fit(images: Tensor, n: int) -> _Components:
    """Find n or more principal directions, by a randomized method (Halko et al. 2011). Cached for a tensor object."""
    subset = torch.randperm(len(images), generator=seeded_generator(_SUBSET_SEED))[:_N_IMAGES].sort().values
    # On the CPU, whose random numbers can be set apart and are the same for every device.
    pixels_ND = to_unit(images[subset.to(images.device)].cpu()).flatten(1) - GREY
    mean = pixels_ND.mean(0)
    pixels_ND -= mean
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SUBSET_SEED)
        _, singular_values, directions = torch.pca_lowrank(
            pixels_ND, q=min(n + _OVERSAMPLING, *pixels_ND.shape), center=False
        )
    n_images = len(pixels_ND)
    total = float(pixels_ND.square().sum(dtype=torch.float64)) / n_images
    return _Components(mean, directions, singular_values.square() / n_images, total)
