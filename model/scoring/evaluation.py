"""Scoring: sigma calibrated on training images, then rate and distortion of a split, the same noise every time.

N images, Z latent, K importance samples.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from model.config import DIMENSIONS
from model.data.images import to_unit
from model.device import Runtime, seeded_generator
from model.network.vae import ConvVAE
from model.scoring import elbo

# Same noise every epoch and trial: scores differ by the weights alone.
NOISE_SEED = 1
CALIBRATION_SEED = 2
IMPORTANCE_SEED = 3
N_CALIBRATION = 2000
BATCH_SIZE = 500


@dataclass(frozen=True)
class Evaluation:
    """Means over a split: nats per image, squared error per pixel value, the score in bits per dimension."""

    n_images: int
    bpd: float
    rate_nats: float
    distortion_nats: float
    mse: float
    rate_per_dimension: tuple[float, ...]


@dataclass(frozen=True)
class _Pass:
    """Sums over images of one pass through the model."""

    squared_error: float
    rate_per_dimension: Tensor


def calibrate_sigma(model: ConvVAE, train_images: Tensor, runtime: Runtime) -> float:
    """The optimal sigma of these weights, in evaluation mode with sampled z, on a fixed subset of training images.

    `train_images` is uint8 (N, 3, 32, 32); up to 2,000 of them are used.
    """
    shuffle = seeded_generator(CALIBRATION_SEED)
    subset = torch.randperm(len(train_images), generator=shuffle)[:N_CALIBRATION].sort().values
    images = train_images[subset.to(train_images.device)]
    sums = _run(model, images, runtime, CALIBRATION_SEED, BATCH_SIZE)
    return elbo.optimal_sigma(sums.squared_error / len(images) / DIMENSIONS)


def evaluate(
    model: ConvVAE, images: Tensor, sigma: float, runtime: Runtime, *, batch_size: int = BATCH_SIZE
) -> Evaluation:
    """Score uint8 images (N, 3, 32, 32) with one sampled z each. Leaves every other random generator untouched."""
    sums = _run(model, images, runtime, NOISE_SEED, batch_size)
    n_images = len(images)
    mean_error = torch.tensor(sums.squared_error / n_images, dtype=torch.float64)
    rates = sums.rate_per_dimension / n_images
    distortion, rate = float(elbo.gaussian_distortion(mean_error, sigma)), float(rates.sum())
    return Evaluation(
        n_images=n_images,
        bpd=elbo.bits_per_dimension(distortion, rate),
        rate_nats=rate,
        distortion_nats=distortion,
        mse=float(mean_error) / DIMENSIONS,
        rate_per_dimension=tuple(rates.tolist()),
    )


def importance_weighted_bpd(
    model: ConvVAE, images: Tensor, sigma: float, runtime: Runtime, *, n_samples: int = 64
) -> float:
    """The importance-weighted bound of uint8 images (N, 3, 32, 32) in bits per dimension, with the same sigma.

    At most `evaluate`'s score in expectation, and nearer to -log p(x) the more samples are drawn (Burda et al. 2016).
    """
    generator = seeded_generator(IMPORTANCE_SEED, device=runtime.device)
    bounds = 0.0
    with _evaluating(model):
        for batch in images.split(BATCH_SIZE):
            weights = _log_weights(model, to_unit(batch), sigma, runtime, generator)
            log_weights_KB = torch.stack(list(islice(weights, n_samples)))
            bounds += float(elbo.importance_weighted_bound(log_weights_KB).sum())
    return elbo.bits_per_dimension(-bounds / len(images), 0.0)


def encode(model: ConvVAE, images: Tensor, runtime: Runtime) -> tuple[Tensor, Tensor]:
    """Posterior mean and log-variance of uint8 images, each (N, Z) float32 on the CPU."""
    with _evaluating(model), runtime.autocast():
        parts = [model.encoder(to_unit(batch)) for batch in images.split(BATCH_SIZE)]
    return torch.cat([mean for mean, _ in parts]).cpu(), torch.cat([variance for _, variance in parts]).cpu()


def decode(model: ConvVAE, z_NZ: Tensor, runtime: Runtime) -> Tensor:
    """Image means of latent vectors (N, Z), as uint8 (N, 3, 32, 32) on the CPU."""
    with _evaluating(model), runtime.autocast():
        parts = [model.decoder(batch) for batch in z_NZ.to(runtime.device).split(BATCH_SIZE)]
    return (torch.cat(parts) * 255).round().to(torch.uint8).cpu()


def reconstruct(model: ConvVAE, images: Tensor, runtime: Runtime) -> Tensor:
    """Reconstructions of uint8 images through sampled z, the same noise every time; uint8 on the CPU."""
    mean, log_variance = encode(model, images, runtime)
    noise = torch.randn(mean.shape, generator=seeded_generator(NOISE_SEED))
    return decode(model, mean + noise * torch.exp(0.5 * log_variance), runtime)


def active_units(means_NZ: Tensor) -> int:
    """Latent dimensions whose posterior mean varies by more than 0.01 over the images (Burda et al. 2016)."""
    return int((means_NZ.var(0) > 0.01).sum())


@contextmanager
def _evaluating(model: ConvVAE) -> Iterator[None]:
    """Evaluation mode without gradients; the model's mode is put back."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def _run(model: ConvVAE, images: Tensor, runtime: Runtime, noise_seed: int, batch_size: int) -> _Pass:
    # Drawn for the whole split at once, so that an image meets the same noise whatever the batch size.
    generator = seeded_generator(noise_seed, device=runtime.device)
    noise = torch.randn(len(images), model.latent_dim, generator=generator, device=runtime.device)
    squared_error, rates = 0.0, torch.zeros(model.latent_dim, dtype=torch.float64)
    with _evaluating(model):
        for batch, batch_noise in zip(images.split(batch_size), noise.split(batch_size), strict=True):
            x = to_unit(batch)
            with runtime.autocast():
                reconstruction, mean, log_variance = model(x, batch_noise)
            squared_error += float(elbo.squared_error(x, reconstruction).sum())
            rates += elbo.rate_per_dimension(mean, log_variance).sum(0).cpu().double()
    return _Pass(squared_error, rates)


def _log_weights(
    model: ConvVAE, x: Tensor, sigma: float, runtime: Runtime, generator: torch.Generator
) -> Iterator[Tensor]:
    """log p(x|z) + log p(z) - log q(z|x), shape (B,), for one z per image after another."""
    with runtime.autocast():
        mean, log_variance = model.encoder(x)
    while True:
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        z = mean + noise * torch.exp(0.5 * log_variance)
        with runtime.autocast():
            reconstruction = model.decoder(z)
        log_likelihood = -elbo.gaussian_distortion(elbo.squared_error(x, reconstruction), sigma)
        log_prior = elbo.log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
        yield log_likelihood + log_prior - elbo.log_normal(z, mean, log_variance)
