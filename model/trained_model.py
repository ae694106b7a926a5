"""Trained models: load one from its file, then sample, encode, decode, reconstruct and score images.

N images, H W pixels, C channels, Z latent.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import TrainConfig
from model.data.images import as_pixels
from model.device import Runtime, resolve, seeded_generator
from model.network.vae import ConvVAE
from model.scoring import evaluation
from model.scoring.evaluation import Evaluation
from model.training.model_file import read_model


@dataclass(frozen=True)
class TrainedModel:
    """Trained VAE that takes and returns NumPy arrays. Create one with `load_model`.

    Images are uint8 arrays of shape (N, H, W, C), as those of the training, in RGB or grey; `LabelledImages.pixels` has
    this form.

    Attributes:
        network: the VAE in evaluation mode, on the runtime's device.
        config: configuration of its training.
        sigma: standard deviation of the decoder's Gaussian, calibrated on training images.
        runtime: device and precision of all computations.

    Example:
        >>> trained = model.load_model("results/quick/best/model.pt")
        >>> images = model.load_sample().test.pixels
        >>> trained.score(images).bpd
        6.60...
    """

    network: ConvVAE = field(repr=False)
    config: TrainConfig
    sigma: float
    runtime: Runtime

    def sample(self, n_images: int, seed: int = 0) -> NDArray[np.uint8]:
        """Decode draws of the prior N(0, I).

        Args:
            n_images: number of images N, at least 1.
            seed: seed of the draws, at least 0; the same seed gives the same images.

        Returns: image means, uint8 (N, H, W, C).

        Raises: ValueError: `n_images` or `seed` is too small.

        Example:
            >>> trained.sample(16, seed=1).shape
            (16, 32, 32, 3)
        """
        if n_images < 1:
            raise ValueError(f"n_images: must be at least 1, got {n_images}")
        if seed < 0:
            raise ValueError(f"seed: must be at least 0, got {seed}")
        z_NZ = torch.randn(n_images, self.config.latent_dim, generator=seeded_generator(seed))
        return as_pixels(evaluation.decode(self.network, z_NZ, self.runtime))

    def encode(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Compute the posterior q(z|x) of images.

        Args:
            images: uint8 (N, H, W, C).

        Returns: means and log-variances, each float32 (N, Z).

        Raises: ValueError: `images` is not a uint8 array of this shape, or is empty.

        Example:
            >>> means, log_variances = trained.encode(images)
            >>> means.shape == (len(images), trained.config.latent_dim)
            True
        """
        means, log_variances = evaluation.encode(self.network, self._tensor(images), self.runtime)
        return means.numpy(), log_variances.numpy()

    def decode(self, codes: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Decode latent vectors to images.

        Args:
            codes: array of floats (N, Z).

        Returns: image means, uint8 (N, H, W, C).

        Raises: ValueError: `codes` is not an array of finite floats of this shape, or is empty.

        Example:
            >>> means, _ = trained.encode(images[:2])
            >>> trained.decode(means.mean(0, keepdims=True)).shape
            (1, 32, 32, 3)
        """
        latent_dim = self.config.latent_dim
        expected = f"codes: must be an array of finite floats of shape (N, {latent_dim}), N at least 1"
        if not isinstance(codes, np.ndarray) or not np.issubdtype(codes.dtype, np.floating):
            raise ValueError(f"{expected}, but got {_describe(codes)}")
        if codes.ndim != 2 or codes.shape[1] != latent_dim or len(codes) == 0:
            raise ValueError(f"{expected}, but got {_describe(codes)}")
        # A copy, since PyTorch takes no array that is read-only or has negative strides.
        z_NZ = torch.from_numpy(np.array(codes, dtype=np.float32, order="C"))
        if not torch.isfinite(z_NZ).all():
            raise ValueError(f"{expected}, but got values that are not finite")
        return as_pixels(evaluation.decode(self.network, z_NZ, self.runtime))

    def reconstruct(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Encode images and decode one sampled z each, as in all pictures of this project.

        The noise is the same in every call. For reconstructions from the posterior means, decode these.

        Args:
            images: uint8 (N, H, W, C).

        Returns: image means, uint8 (N, H, W, C).

        Raises: ValueError: `images` is not a uint8 array of this shape, or is empty.

        Example:
            >>> reconstructions = trained.reconstruct(images)
            >>> from_means = trained.decode(trained.encode(images)[0])
        """
        return as_pixels(evaluation.reconstruct(self.network, self._tensor(images), self.runtime))

    def score(self, images: NDArray[np.uint8]) -> Evaluation:
        """Score images: bits per dimension, rate, distortion and squared error, means over the images.

        Args:
            images: uint8 (N, H, W, C).

        Returns: the evaluation; its bpd over all test images is the test_bpd of a run in float32.

        Raises: ValueError: `images` is not a uint8 array of this shape, or is empty.

        Example:
            >>> result = trained.score(images)
            >>> result.bpd, result.rate_nats, result.distortion_nats, result.mse
        """
        return evaluation.evaluate(self.network, self._tensor(images), self.sigma, self.runtime)

    def _tensor(self, images: NDArray[np.uint8]) -> Tensor:
        """Check images and copy them to the device, uint8 (N, C, H, W) in channels_last memory."""
        n_channels, height, width = self.config.image_shape
        expected = f"images: must be a uint8 array of shape (N, {height}, {width}, {n_channels}), N at least 1"
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
            raise ValueError(f"{expected}, but got {_describe(images)}")
        if images.shape[1:] != (height, width, n_channels) or len(images) == 0:
            raise ValueError(f"{expected}, but got {_describe(images)}")
        # A copy, as in `decode`.
        return torch.from_numpy(np.array(images, order="C")).permute(0, 3, 1, 2).to(self.runtime.device)


def _describe(value: object) -> str:
    """Return `uint8 of shape (8, 32, 32)` for an array, else the name of the type."""
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def load_model(path: str | Path, device: str = "auto") -> TrainedModel:
    """Load a trained model from the `model.pt` of a run.

    Args:
        path: file that `make best-retrain`, `make train` or `hpo.retrain` wrote.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `auto` prefers CUDA, then MPS.

    Returns: the model on the device. It computes in float32, so that results hardly depend on the machine.

    Raises:
        UserError: the file does not exist, is damaged or holds no model, or this machine has no such device.
        OSError: the file cannot be read.

    Example:
        >>> trained = model.load_model("results/quick/best/model.pt", device="cpu")
        >>> trained.config.latent_dim
        94
    """
    runtime = resolve(device, "float32")
    saved = read_model(Path(path))
    return TrainedModel(saved.network.to(runtime.device), saved.config, saved.sigma, runtime)
