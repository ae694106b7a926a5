"""Linear path: probabilistic PCA as a linear encoder and decoder beside the convolutions.

Tipping & Bishop 1999, section 3.1. With orthogonal directions the exact posterior is a diagonal Gaussian, so a model
whose convolutions add nothing scores as pPCA does.

B batch, C channels, H W pixels, D = C H W values of an image, Z latent.
"""

import math

import torch
from torch import Tensor, nn

from model.config import IMAGE_SHAPE, ImageShape


class LinearPath(nn.Module):
    """Linear encoder and decoder that are set from data and not trained. All parameters are zero until then.

    Parameters: pixel_mean m (D,), directions U (D, Z), encoding e (Z,), decoding d (Z,), log_variance (Z,).

        encode(x) = e * U'(x - m)
        decode(z) = m + U(d * z)
    """

    def __init__(self, latent_dim: int, image_shape: ImageShape = IMAGE_SHAPE) -> None:
        super().__init__()
        self.image_shape, n_dims = image_shape, math.prod(image_shape)
        self.pixel_mean = _constant(n_dims)
        self.directions = _constant(n_dims, latent_dim)
        self.encoding, self.decoding, self.log_variance = (_constant(latent_dim) for _ in range(3))

    def set_to(self, pixel_mean: Tensor, directions: Tensor, eigenvalues: Tensor, noise_variance: float) -> None:
        """Set the parameters from a pPCA with eigenvalues l and noise variance s^2 (Tipping & Bishop 1999).

            d = sqrt(l - s^2),  e = d / l,  log_variance = log(s^2 / l)

        With fewer directions than latent dimensions, the other dimensions stay zero and carry no information.

        Args:
            pixel_mean: mean of the images, (D,).
            directions: eigenvectors, (D, n), n <= Z.
            eigenvalues: variances along them, with the dequantization noise, (n,).
            noise_variance: variance of the noise.
        """
        n = len(eigenvalues)
        # With fewer images than dimensions, rounding puts the last eigenvalues below the noise variance.
        deviations = (eigenvalues - noise_variance).clamp(min=0).sqrt()
        self.pixel_mean.copy_(pixel_mean)
        self.directions[:, :n] = directions.float()
        self.encoding[:n] = (deviations / eigenvalues).float()
        self.decoding[:n] = deviations.float()
        self.log_variance[:n] = (noise_variance / eigenvalues).clamp(max=1).log().float()

    def encode(self, x_BCHW: Tensor) -> Tensor:
        """Return the posterior mean, (B, Z) in float32."""
        with torch.autocast(x_BCHW.device.type, enabled=False):
            return torch.mm(x_BCHW.flatten(1) - self.pixel_mean, self.directions) * self.encoding

    def decode(self, z_BZ: Tensor) -> Tensor:
        """Return the image means, (B, C, H, W) in float32, not clamped to [0, 1]."""
        with torch.autocast(z_BZ.device.type, enabled=False):
            pixels_BD = torch.addmm(self.pixel_mean, z_BZ * self.decoding, self.directions.T)
        return pixels_BD.view(-1, *self.image_shape)


def _constant(*shape: int) -> nn.Parameter:
    """Create a parameter of zeros that is saved with the model and not trained."""
    return nn.Parameter(torch.zeros(shape), requires_grad=False)
