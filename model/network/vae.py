"""Convolutional VAE: stride-2 convolutions down to a latent vector, and transposed ones up to an image.

Model: Kingma & Welling 2014. Architectures:

- `plain`, the tutorial's: batch normalisation (Ioffe & Szegedy 2015), ReLU, a logistic output.
- `norm_free`: SiLU and no normalisation; instead, the convolutions and the encoder's last layers start with weights
  that keep the variance of their input (He et al. 2015). Its output is linear, clamped to [0, 1].
- `linear_skip`: the same convolutions with a linear skip past them, see `model.network.linear_skip`.

B batch, C channels, H W pixels, N features, Z latent.
"""

import math

import torch
from torch import Tensor, nn

from model.config import DEFAULT_CHANNELS, IMAGE_SHAPE, Architecture, ImageShape, Reconstruction, TrainConfig
from model.network.convolution_stack import ConvolutionStack
from model.network.feature_maps import map_shapes, margin_of, n_features
from model.network.image_margin import with_margin, without_margin
from model.network.initial_weights import SILU_GAIN, keep_variance, set_to_zero
from model.network.linear_path import LinearPath
from model.network.linear_skip import SkipDown, SkipUp, begin_as_projection
from model.network.strided_convolution import DownConv, UpConv

# Bound of |log variance|: standard deviations from 1/150 to 150.
LOG_VARIANCE_BOUND = 10.0
# Subtracted from pixels and added to outputs, except by `plain`.
GREY = 0.5


class Encoder(nn.Module):
    """Encoder q(z|x): images to the mean and log-variance of a diagonal Gaussian.

    log-variance = b tanh(raw / b), b = LOG_VARIANCE_BOUND. A linear path adds its own mean and log-variance.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: tuple[int, ...],
        architecture: Architecture,
        linear: LinearPath | None,
        image_shape: ImageShape,
    ) -> None:
        super().__init__()
        self.centred, n_colours = architecture != "plain", image_shape[0]
        self.margin = margin_of(image_shape[1], len(channels))
        self.trunk = (
            SkipDown(channels, n_colours)
            if architecture == "linear_skip"
            else ConvolutionStack.of_blocks(DownConv, (n_colours, *channels), architecture)
        )
        shapes = map_shapes(channels, architecture, image_shape[1])
        self.mean = nn.Linear(n_features(shapes), latent_dim)
        # From the last map alone, which saves `linear_skip` a third of the work in these two layers.
        self.log_variance = nn.Linear(n_features(shapes[-1:]), latent_dim)
        if architecture == "norm_free":
            keep_variance(self.mean, SILU_GAIN)
            keep_variance(self.log_variance, SILU_GAIN)
        self.linear = linear
        if linear is not None:
            set_to_zero(self.mean)
            set_to_zero(self.log_variance)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance, each (B, Z) in float32."""
        features = self.trunk(with_margin(x_BCHW - GREY if self.centred else x_BCHW, self.margin)).flatten(1)
        mean, raw = self.mean(features), self.log_variance(features[:, -self.log_variance.in_features :])
        mean, raw = mean.float(), raw.float()
        log_variance = LOG_VARIANCE_BOUND * torch.tanh(raw / LOG_VARIANCE_BOUND)
        if self.linear is None:
            return mean, log_variance
        return mean + self.linear.encode(x_BCHW), log_variance + self.linear.log_variance


class Decoder(nn.Module):
    """Decoder p(x|z): latent vectors to image means in [0, 1]. A linear path adds its own before the clamp."""

    def __init__(
        self,
        latent_dim: int,
        channels: tuple[int, ...],
        architecture: Architecture,
        linear: LinearPath | None,
        image_shape: ImageShape,
        *,
        logistic: bool,
    ) -> None:
        super().__init__()
        self.logistic, (n_colours, size, _) = logistic, image_shape
        self.margin = margin_of(size, len(channels))
        self.map_shapes = map_shapes(channels, architecture, size)
        self.project = nn.Linear(latent_dim, n_features(self.map_shapes))
        self.trunk = (
            SkipUp(channels, n_colours)
            if architecture == "linear_skip"
            else _stack_to_image(channels, architecture, n_colours)
        )
        self.linear = linear
        if linear is not None:
            for layer in self.trunk.output_layers:
                set_to_zero(layer)

    def forward(self, z_BZ: Tensor) -> Tensor:
        """Return the image means, (B, C, H, W) in float32."""
        parts = self.project(z_BZ).split([math.prod(shape) for shape in self.map_shapes], dim=1)
        maps = (
            part.unflatten(1, shape).contiguous(memory_format=torch.channels_last)
            for part, shape in zip(parts, self.map_shapes, strict=True)
        )
        y_BCHW = without_margin(self.trunk(*maps), self.margin).float()
        if self.logistic:
            return torch.sigmoid(y_BCHW)
        if self.linear is not None:
            return _clamp(y_BCHW + self.linear.decode(z_BZ))
        return _clamp(y_BCHW + GREY)


class ConvVAE(nn.Module):
    """Convolutional VAE of small images: an encoder, a Gaussian latent vector and a decoder.

    z = mean + exp(log_variance / 2) * noise (the reparameterisation of Kingma & Welling 2014).

    The output is logistic for `bce` (the mean of a Bernoulli variable) and for `plain` without a linear path; otherwise
    it is linear and clamped to [0, 1]. A linear path needs a linear output.

    Args:
        latent_dim: size of the latent vector, Z.
        channels: output channels of the encoder's convolutions; the decoder has the same in reverse. Empty: the
            architecture's own.
        architecture: `plain`, `norm_free` or `linear_skip`, see the head of this module.
        reconstruction: `gaussian` or `bce`.
        linear_path: add probabilistic PCA beside the convolutions; see `model.network.linear_path`.
        image_shape: channels, height and width of the images; see `model.network.image_margin` for sides that cannot
            be halved once for each convolution.

    Example:
        >>> network = model.ConvVAE(latent_dim=16)
        >>> reconstructions, mean, log_variance = network(torch.rand(8, 3, 32, 32), torch.randn(8, 16))
        >>> reconstructions.shape, mean.shape
        (torch.Size([8, 3, 32, 32]), torch.Size([8, 16]))
    """

    def __init__(
        self,
        latent_dim: int,
        channels: tuple[int, ...] = (),
        architecture: Architecture = "linear_skip",
        reconstruction: Reconstruction = "gaussian",
        *,
        linear_path: bool = False,
        image_shape: ImageShape = IMAGE_SHAPE,
    ) -> None:
        super().__init__()
        assert not linear_path or reconstruction == "gaussian", "pPCA is a Gaussian model"
        logistic = reconstruction == "bce" or (architecture == "plain" and not linear_path)
        self.latent_dim = latent_dim
        self.channels = channels = channels or DEFAULT_CHANNELS[architecture]
        # One module that encoder and decoder share, so that its tensors exist once.
        self.linear = LinearPath(latent_dim, image_shape) if linear_path else None
        self.encoder = Encoder(latent_dim, channels, architecture, self.linear, image_shape)
        self.decoder = Decoder(latent_dim, channels, architecture, self.linear, image_shape, logistic=logistic)
        if isinstance(self.encoder.trunk, SkipDown) and isinstance(self.decoder.trunk, SkipUp) and not linear_path:
            around_the_code = self.encoder.mean, self.encoder.log_variance, self.decoder.project
            n_reached = n_features(self.decoder.map_shapes[:1])
            begin_as_projection(self.encoder.trunk, *around_the_code, self.decoder.trunk, n_reached)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_config(cls, config: TrainConfig) -> "ConvVAE":
        """Create the untrained model of a run; its linear path, if any, is still zero."""
        shape = config.latent_dim, config.channels, config.architecture, config.reconstruction
        return cls(*shape, linear_path=config.linear_path, image_shape=config.image_shape)

    @property
    def skip_weights(self) -> list[Tensor]:
        """Weights of the linear skip and of the layers next to the code; none but for `linear_skip`."""
        down, up = self.encoder.trunk, self.decoder.trunk
        if not (isinstance(down, SkipDown) and isinstance(up, SkipUp)):
            return []
        layers = (down.embedding, self.encoder.mean, self.encoder.log_variance, self.decoder.project, up.projection)
        return [layer.weight for layer in layers]

    def forward(self, x_BCHW: Tensor, noise_BZ: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return reconstructions (B, C, H, W), mean (B, Z) and log-variance (B, Z) of images in [0, 1].

        The caller draws `noise_BZ` from N(0, I), and so controls the randomness.
        """
        mean_BZ, log_variance_BZ = self.encoder(x_BCHW)
        z_BZ = mean_BZ + noise_BZ * torch.exp(0.5 * log_variance_BZ)
        return self.decoder(z_BZ), mean_BZ, log_variance_BZ


def _stack_to_image(channels: tuple[int, ...], architecture: Architecture, n_colours: int) -> ConvolutionStack:
    """Create the decoder's convolutions for the other architectures."""
    stack = ConvolutionStack.of_blocks(UpConv, channels[::-1], architecture)
    to_image = UpConv(channels[0], n_colours, bias=True)
    if architecture == "norm_free":
        keep_variance(to_image, gain=1.0)
    stack.append(to_image)
    return stack


def _clamp(y_BCHW: Tensor) -> Tensor:
    """Clamp to [0, 1]; the gradient is that of the identity, so that a pixel outside still moves to its target."""
    return y_BCHW + (y_BCHW.clamp(0, 1) - y_BCHW).detach()


def compile_model(model: ConvVAE) -> None:
    """Compile both trunks in place, for any batch size; their shapes do not depend on the latent dimension."""
    model.encoder.trunk.compile(dynamic=True)
    model.decoder.trunk.compile(dynamic=True)
