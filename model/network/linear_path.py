"""Probabilistic PCA as a part of the model: a linear encoder and decoder beside the convolutions.

Tipping & Bishop 1999, section 3.1: with orthogonal directions the exact posterior is a diagonal Gaussian, so that a
model which is nothing else has pPCA's likelihood as its score. B batch, D pixel values, Z latent.
"""

import torch
from torch import Tensor, nn

from model.config import DIMENSIONS

_IMAGE_SHAPE = (3, 32, 32)


class LinearPath(nn.Module):
    """Directions (D, Z), what a code's values are times them and back, and the posterior's log-variance, (Z,) each.

    All zero until set from data, and not trained.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.pixel_mean = _constant(DIMENSIONS)
        self.directions = _constant(DIMENSIONS, latent_dim)
        self.encoding, self.decoding, self.log_variance = (_constant(latent_dim) for _ in range(3))

    def set_to(self, pixel_mean: Tensor, directions: Tensor, eigenvalues: Tensor, noise_variance: float) -> None:
        """Become a pPCA: its mean (D,), directions (D, Z) and their eigenvalues (Z,), and its noise's variance.

        It may have fewer dimensions than the code; the rest stay at zero and say nothing.
        """
        n = len(eigenvalues)
        # Where there are fewer images than dimensions, the last eigenvalues fall below the noise by rounding.
        deviations = (eigenvalues - noise_variance).clamp(min=0).sqrt()
        self.pixel_mean.copy_(pixel_mean)
        self.directions[:, :n] = directions.float()
        self.encoding[:n] = (deviations / eigenvalues).float()
        self.decoding[:n] = deviations.float()
        self.log_variance[:n] = (noise_variance / eigenvalues).clamp(max=1).log().float()

    def encode(self, x_BCHW: Tensor) -> Tensor:
        """The posterior's mean, (B, Z) in float32."""
        with torch.autocast(x_BCHW.device.type, enabled=False):
            return torch.mm(x_BCHW.flatten(1) - self.pixel_mean, self.directions) * self.encoding

    def decode(self, z_BZ: Tensor) -> Tensor:
        """The image means, (B, 3, 32, 32) in float32, not bounded."""
        with torch.autocast(z_BZ.device.type, enabled=False):
            pixels_BD = torch.addmm(self.pixel_mean, z_BZ * self.decoding, self.directions.T)
        return pixels_BD.view(-1, *_IMAGE_SHAPE)


def _constant(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape), requires_grad=False)
