"""Evaluation of a model: sigma calibrated on training images, then rate and distortion, always with the same noise.

N images, C channels, H W pixels, Z latent, K importance samples.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, repeat

import torch
from torch import Tensor, nn

from model.data.images import to_unit
from model.device import Runtime, seeded_generator
from model.network.vae import ConvVAE
from model.scoring import elbo
from model.scoring.definitions import ACTIVE_VARIANCE, bits_per_dimension

# The same noise in every epoch and trial: scores differ by the weights alone.
NOISE_SEED = 1
CALIBRATION_SEED = 2
IMPORTANCE_SEED = 3
N_CALIBRATION = 2000
BATCH_SIZE = 500


@dataclass(frozen=True)
class Evaluation:
    """Score of a set of images; all values are means over them.

    Attributes:
        n_images: number of images.
        bpd: the score, negative ELBO in bits per dimension; lower is better.
        rate_nats: KL divergence of the posterior from the prior, nats per image.
        distortion_nats: negative log-likelihood of an image given its latent vector, nats per image.
        mse: squared error per pixel value, pixels in [0, 1].
        rate_per_dimension: the rate of each latent dimension, nats per image, Z values.
        bpd_per_image: the score of each image.
    """

    n_images: int
    bpd: float
    rate_nats: float
    distortion_nats: float
    mse: float
    rate_per_dimension: tuple[float, ...]
    bpd_per_image: tuple[float, ...] = field(compare=False, repr=False)


@dataclass(frozen=True)
class _Sums:
    """Squared error and rate: sums over images, and of each image, (N,)."""

    squared_error: float
    rate_per_dimension: Tensor
    squared_errors: Tensor
    rates: Tensor


def calibrate_sigma(model: ConvVAE, train_images: Tensor, runtime: Runtime) -> float:
    """Compute the optimal sigma of these weights, in evaluation mode with sampled z: sigma^2 = MSE.

    `train_images` is uint8 (N, C, H, W); a fixed subset of at most 2,000 of them is used.
    """
    images = _calibration_images(train_images)
    sums = _sum_over_images(model, images, runtime, CALIBRATION_SEED, BATCH_SIZE)
    return elbo.optimal_sigma(sums.squared_error / len(images) / images[0].numel())


def measure_statistics(model: ConvVAE, train_images: Tensor, batch_size: int, runtime: Runtime) -> None:
    """Set the running statistics of batch normalisation to those of these weights, on the images of `calibrate_sigma`.

    `train_images` is uint8 (N, C, H, W). The statistics are means over batches, as they are normalised in training.
    """
    images, generator = _calibration_images(train_images), seeded_generator(CALIBRATION_SEED, device=runtime.device)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        # Then a layer averages over all batches.
        layer.momentum = None
    model.train()
    with torch.inference_mode():
        for batch in images[torch.randperm(len(images), generator=seeded_generator(CALIBRATION_SEED))].split(
            batch_size
        ):
            noise = torch.randn(len(batch), model.latent_dim, generator=generator, device=runtime.device)
            if len(batch) > 1:
                with runtime.autocast():
                    model(to_unit(batch), noise)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _calibration_images(train_images: Tensor) -> Tensor:
    """Return a fixed subset of at most N_CALIBRATION images."""
    generator = seeded_generator(CALIBRATION_SEED)
    subset = torch.randperm(len(train_images), generator=generator)[:N_CALIBRATION].sort().values
    return train_images[subset.to(train_images.device)]


def evaluate(
    model: ConvVAE, images: Tensor, sigma: float, runtime: Runtime, *, batch_size: int = BATCH_SIZE
) -> Evaluation:
    """Score uint8 images (N, C, H, W) with one sampled z each, without using any other random generator."""
    sums = _sum_over_images(model, images, runtime, NOISE_SEED, batch_size)
    n_images, n_dims = len(images), images[0].numel()
    squared_error = torch.tensor(sums.squared_error / n_images, dtype=torch.float64)
    rates = sums.rate_per_dimension / n_images
    distortions = elbo.gaussian_distortion(sums.squared_errors, sigma, n_dims)
    distortion, rate = float(elbo.gaussian_distortion(squared_error, sigma, n_dims)), float(rates.sum())
    return Evaluation(
        n_images=n_images,
        bpd=bits_per_dimension(distortion, rate, n_dims),
        rate_nats=rate,
        distortion_nats=distortion,
        mse=float(squared_error) / n_dims,
        rate_per_dimension=tuple(rates.tolist()),
        bpd_per_image=tuple(map(bits_per_dimension, distortions.tolist(), sums.rates.tolist(), repeat(n_dims))),
    )


def importance_weighted_bpd(model: ConvVAE, images: Tensor, sigma: float, runtime: Runtime, *, n_samples: int) -> float:
    """Compute the importance-weighted bound of uint8 images (N, C, H, W) in bits per dimension, with the same sigma.

    In expectation it is at most `evaluate`'s score, and it approaches -log p(x) with more samples (Burda et al. 2016).
    """
    generator = seeded_generator(IMPORTANCE_SEED, device=runtime.device)
    bounds = 0.0
    with _evaluation_mode(model):
        for batch in images.split(BATCH_SIZE):
            weights = _log_weights(model, to_unit(batch), sigma, runtime, generator)
            log_weights_KB = torch.stack(list(islice(weights, n_samples)))
            bounds += float(elbo.importance_weighted_bound(log_weights_KB).sum())
    return bits_per_dimension(-bounds / len(images), 0.0, images[0].numel())


def encode(model: ConvVAE, images: Tensor, runtime: Runtime) -> tuple[Tensor, Tensor]:
    """Compute posterior means and log-variances of uint8 images, each (N, Z) float32 on the CPU."""
    with _evaluation_mode(model), runtime.autocast():
        parts = [model.encoder(to_unit(batch)) for batch in images.split(BATCH_SIZE)]
    means, log_variances = (torch.cat(batches).cpu() for batches in zip(*parts, strict=True))
    return means, log_variances


def decode(model: ConvVAE, z_NZ: Tensor, runtime: Runtime) -> Tensor:
    """Compute the image means of latent vectors (N, Z), rounded to uint8 (N, C, H, W), on the CPU."""
    with _evaluation_mode(model), runtime.autocast():
        parts = [model.decoder(batch) for batch in z_NZ.to(runtime.device).split(BATCH_SIZE)]
    return (torch.cat(parts) * 255).round().to(torch.uint8).cpu()


def reconstruct(model: ConvVAE, images: Tensor, runtime: Runtime) -> Tensor:
    """Reconstruct uint8 images through one sampled z each, always with the same noise; uint8 on the CPU."""
    mean, log_variance = encode(model, images, runtime)
    noise = torch.randn(mean.shape, generator=seeded_generator(NOISE_SEED))
    return decode(model, mean + noise * torch.exp(0.5 * log_variance), runtime)


def active_units(means_NZ: Tensor) -> int:
    """Count latent dimensions whose posterior mean has a variance above ACTIVE_VARIANCE over the images."""
    return int((means_NZ.var(0) > ACTIVE_VARIANCE).sum())


@contextmanager
def _evaluation_mode(model: ConvVAE) -> Iterator[None]:
    """Put the model into evaluation mode without gradients within the block, then restore its mode."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def _sum_over_images(model: ConvVAE, images: Tensor, runtime: Runtime, noise_seed: int, batch_size: int) -> _Sums:
    """Run all images through the model, one sampled z each."""
    # Drawn for the whole split at once, so that an image gets the same noise at every batch size.
    generator = seeded_generator(noise_seed, device=runtime.device)
    noise = torch.randn(len(images), model.latent_dim, generator=generator, device=runtime.device)
    squared_error, rates = 0.0, torch.zeros(model.latent_dim, dtype=torch.float64)
    per_image: list[tuple[Tensor, Tensor]] = []
    with _evaluation_mode(model):
        for batch, batch_noise in zip(images.split(batch_size), noise.split(batch_size), strict=True):
            x = to_unit(batch)
            with runtime.autocast():
                reconstruction, mean, log_variance = model(x, batch_noise)
            errors, rates_BZ = elbo.squared_error(x, reconstruction), elbo.rate_per_dimension(mean, log_variance)
            squared_error += float(errors.sum())
            rates += rates_BZ.sum(0).cpu().double()
            per_image.append((errors, rates_BZ.sum(1)))
    errors_N, rates_N = (torch.cat(parts).cpu().double() for parts in zip(*per_image, strict=True))
    return _Sums(squared_error, rates, errors_N, rates_N)


def _log_weights(
    model: ConvVAE, x: Tensor, sigma: float, runtime: Runtime, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield log p(x|z) + log p(z) - log q(z|x), shape (B,), each time for a new z per image, without end."""
    with runtime.autocast():
        mean, log_variance = model.encoder(x)
    while True:
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        z = mean + noise * torch.exp(0.5 * log_variance)
        with runtime.autocast():
            reconstruction = model.decoder(z)
        log_likelihood = -elbo.gaussian_distortion(elbo.squared_error(x, reconstruction), sigma, x[0].numel())
        log_prior = elbo.log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
        yield log_likelihood + log_prior - elbo.log_normal(z, mean, log_variance)
