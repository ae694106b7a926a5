"""The convolutional VAE: four stride-2 convolutions down to a latent vector, their mirror image up again.

Kingma & Welling 2014 for the model, Ioffe & Szegedy 2015 for the normalisation.
B batch, C channels, H W pixels, Z latent.
"""

import itertools

import torch
from torch import Tensor, nn

from model.config import CHANNELS
from model.convolution import DownConv, UpConv

IMAGE_CHANNELS = 3
IMAGE_SIZE = 32
# |log variance| stays below this: from a standard deviation of 1/150 to 150.
LOG_VARIANCE_BOUND = 10.0


class Stack(nn.Sequential):
    """Layers one after another, with a forward of our own: `compile()` passes over those that PyTorch defines."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Run every layer in turn. `__call__` is what `compile()` compiles; calling this is always eager."""
        for layer in self:
            x_BCHW = layer(x_BCHW)
        return x_BCHW


class Encoder(nn.Module):
    """q(z|x): images to the mean and log-variance of a diagonal Gaussian."""

    def __init__(self, latent_dim: int, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        self.trunk = Stack()
        for n_in, n_out in zip((IMAGE_CHANNELS, *channels), channels, strict=False):
            self.trunk.append(DownConv(n_in, n_out))
            self.trunk.append(nn.BatchNorm2d(n_out))
            self.trunk.append(nn.ReLU(inplace=True))
        n_features = channels[-1] * _top_size(channels) ** 2
        self.mean = nn.Linear(n_features, latent_dim)
        self.log_variance = nn.Linear(n_features, latent_dim)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance, each (B, Z) in float32; the log-variance is softly bounded."""
        features = self.trunk(x_BCHW).flatten(1)
        raw = self.log_variance(features).float()
        return self.mean(features).float(), LOG_VARIANCE_BOUND * torch.tanh(raw / LOG_VARIANCE_BOUND)


class Decoder(nn.Module):
    """The mean of p(x|z): latent vectors to images in [0, 1]."""

    def __init__(self, latent_dim: int, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        self.top = (channels[-1], _top_size(channels), _top_size(channels))
        self.project = nn.Linear(latent_dim, self.top[0] * self.top[1] * self.top[2])
        self.trunk = Stack()
        upwards = tuple(reversed(channels))
        for n_in, n_out in itertools.pairwise(upwards):
            self.trunk.append(UpConv(n_in, n_out))
            self.trunk.append(nn.BatchNorm2d(n_out))
            self.trunk.append(nn.ReLU(inplace=True))
        self.trunk.append(UpConv(upwards[-1], IMAGE_CHANNELS, bias=True))

    def forward(self, z_BZ: Tensor) -> Tensor:
        """Return the image means, (B, 3, 32, 32) in float32."""
        h_BCHW = self.project(z_BZ).unflatten(1, self.top).contiguous(memory_format=torch.channels_last)
        return torch.sigmoid(self.trunk(h_BCHW).float())


class ConvVAE(nn.Module):
    """Encoder and decoder around the reparameterised Gaussian latent."""

    def __init__(self, latent_dim: int, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.channels = channels
        self.encoder = Encoder(latent_dim, channels)
        self.decoder = Decoder(latent_dim, channels)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x_BCHW: Tensor, noise_BZ: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return reconstructions (B, 3, 32, 32), mean (B, Z) and log-variance (B, Z).

        `noise_BZ` is standard normal: the caller owns the randomness.
        """
        mean_BZ, log_variance_BZ = self.encoder(x_BCHW)
        z_BZ = mean_BZ + noise_BZ * torch.exp(0.5 * log_variance_BZ)
        return self.decoder(z_BZ), mean_BZ, log_variance_BZ


def _top_size(channels: tuple[int, ...]) -> int:
    return int(IMAGE_SIZE // 2 ** len(channels))
