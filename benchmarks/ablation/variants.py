"""Models that are not shipped: the default one with a part of it changed, before it is trained.

C channels, H W pixels, N features.
"""

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.network.initial_weights import SILU_GAIN
from model.network.linear_path import LinearPath
from model.network.strided_convolution import DownConv, UpConv
from model.network.vae import ConvVAE, Stack

Change = Callable[[ConvVAE], None]
N_GROUPS = 8


class Residual(nn.Module):
    """Adds to its input what two 3x3 convolutions make of it; nothing at first (Zhang et al. 2019, Fixup)."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        first, last = (nn.Conv2d(n_channels, n_channels, 3, padding=1) for _ in range(2))
        nn.init.kaiming_normal_(first.weight)
        _set_to_zero(last)
        self.branch = nn.Sequential(nn.SiLU(), first, nn.SiLU(), last)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The same shape."""
        changed: Tensor = x_BCHW + self.branch(x_BCHW)
        return changed


class ResidualLinear(nn.Module):
    """The same with two linear layers around a SiLU, on (B, N)."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        last = nn.Linear(n_features, n_features)
        _set_to_zero(last)
        self.branch = nn.Sequential(nn.Linear(n_features, n_features), nn.SiLU(), last)

    def forward(self, x_BN: Tensor) -> Tensor:
        """The same shape."""
        changed: Tensor = x_BN + self.branch(x_BN)
        return changed


class TrainedLinearPath(LinearPath):
    """A linear path whose directions are trained, the encoder's and the decoder's apart, at a share of the rate."""

    def __init__(self, frozen: LinearPath, share: float) -> None:
        super().__init__(frozen.directions.shape[1])
        self.load_state_dict(frozen.state_dict())
        # Adam's steps do not depend on a gradient's size: a weight that is scaled down moves the less.
        self.share = share
        self.encoder_change, self.decoder_change = (nn.Parameter(torch.zeros_like(self.directions)) for _ in range(2))

    def encode(self, x_BCHW: Tensor) -> Tensor:
        """The posterior's mean, (B, Z) in float32."""
        with torch.autocast(x_BCHW.device.type, enabled=False):
            directions = self.directions + self.share * self.encoder_change
            return torch.mm(x_BCHW.flatten(1) - self.pixel_mean, directions) * self.encoding

    def decode(self, z_BZ: Tensor) -> Tensor:
        """The image means, (B, 3, 32, 32) in float32, not bounded."""
        with torch.autocast(z_BZ.device.type, enabled=False):
            directions = self.directions + self.share * self.decoder_change
            pixels_BD = torch.addmm(self.pixel_mean, z_BZ * self.decoding, directions.T)
        return pixels_BD.view(-1, 3, 32, 32)


class LayerNorm(nn.LayerNorm):
    """Over the channels of each pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        normal = functional.layer_norm(x.permute(0, 2, 3, 1), tuple(self.normalized_shape), weight, bias, self.eps)
        return normal.permute(0, 3, 1, 2)


def activation(kind: Callable[[], nn.Module], gain: float = SILU_GAIN) -> Change:
    """Another activation everywhere, with initial weights that make up for it."""

    def change(model: ConvVAE) -> None:
        for trunk in _trunks(model):
            for index, layer in enumerate(trunk):
                if isinstance(layer, nn.SiLU | nn.ReLU):
                    trunk[index] = kind()
        to_image = model.decoder.trunk[-1]
        for layer in (*model.encoder.trunk, *model.decoder.trunk, model.encoder.mean, model.encoder.log_variance):
            if isinstance(layer, nn.Linear | DownConv | UpConv) and layer is not to_image:
                layer.weight.data.mul_(gain / SILU_GAIN)

    return change


def normalised(kind: Callable[[int], nn.Module]) -> Change:
    """A normalisation of so many channels behind every convolution but the last."""

    def change(model: ConvVAE) -> None:
        for trunk in _trunks(model):
            for layer, following in list(itertools.pairwise(trunk)):
                if isinstance(layer, DownConv | UpConv) and isinstance(following, nn.SiLU):
                    trunk.insert(list(trunk).index(following), kind(layer.out_channels))

    return change


def group_norm(n_channels: int) -> nn.Module:
    """Wu & He 2018."""
    return nn.GroupNorm(N_GROUPS, n_channels)


def residual_blocks(n_pixels: int) -> Change:
    """One where the image has so many pixels a side, in encoder and decoder."""

    def change(model: ConvVAE) -> None:
        for trunk, first_side, factor in zip(_trunks(model), (32, model.decoder.top[1]), (0.5, 2), strict=True):
            side = float(first_side)
            for layer in list(trunk):
                if isinstance(layer, DownConv | UpConv):
                    side *= factor
                    n_channels = layer.out_channels
                elif isinstance(layer, nn.SiLU) and side == n_pixels:
                    trunk.insert(list(trunk).index(layer) + 1, Residual(n_channels))

    return change


def deeper_bottleneck(model: ConvVAE) -> None:
    """A residual pair of linear layers on either side of the code."""
    n_features = model.encoder.mean.in_features
    model.encoder.trunk.extend([nn.Flatten(), ResidualLinear(n_features)])
    model.decoder.project = nn.Sequential(model.decoder.project, ResidualLinear(n_features))  # type: ignore[assignment]


def pytorch_init(model: ConvVAE) -> None:
    """PyTorch's own weights: uniform, with a third of the variance that would keep the input's."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear | DownConv | UpConv):
            layer.reset_parameters()


def pytorch_heads(model: ConvVAE) -> None:
    """The same for the encoder's last layers alone."""
    model.encoder.mean.reset_parameters()
    model.encoder.log_variance.reset_parameters()


def trained_linear_path(share: float) -> Change:
    """The linear path's directions are trained, at such a share of the learning rate."""

    def change(model: ConvVAE) -> None:
        assert model.linear is not None
        model.linear = model.encoder.linear = model.decoder.linear = TrainedLinearPath(model.linear, share)

    return change


def uncentred(model: ConvVAE) -> None:
    """Pixels from 0 to 1 into the first convolution."""
    model.encoder.centred = False


def logistic_output(model: ConvVAE) -> None:
    """The tutorial's output."""
    model.decoder.logistic = True


def _set_to_zero(layer: nn.Conv2d | nn.Linear) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _trunks(model: ConvVAE) -> Iterator[Stack]:
    yield model.encoder.trunk
    yield model.decoder.trunk
