"""Models that are not shipped: the default one with a part of it changed, before it is trained.

C channels, H W pixels, N features.
"""

import itertools
from collections.abc import Callable, Iterator

from torch import Tensor, nn
from torch.nn import functional

from model.network.convolution_stack import ConvolutionStack
from model.network.initial_weights import SILU_GAIN
from model.network.strided_convolution import DownConv, UpConv
from model.network.vae import ConvVAE

Change = Callable[[ConvVAE], None]
N_GROUPS = 8


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
        for trunk in _stacks(model):
            for index, layer in enumerate(trunk):
                if isinstance(layer, nn.SiLU | nn.ReLU):
                    trunk[index] = kind()
        down, up = _stacks(model)
        to_image = up[-1]
        for layer in (*down, *up, model.encoder.mean, model.encoder.log_variance):
            if isinstance(layer, nn.Linear | DownConv | UpConv) and layer is not to_image:
                layer.weight.data.mul_(gain / SILU_GAIN)

    return change


def normalised(kind: Callable[[int], nn.Module]) -> Change:
    """A normalisation of so many channels behind every convolution but the last."""

    def change(model: ConvVAE) -> None:
        for trunk in _stacks(model):
            for layer, following in list(itertools.pairwise(trunk)):
                if isinstance(layer, DownConv | UpConv) and isinstance(following, nn.SiLU):
                    trunk.insert(list(trunk).index(following), kind(layer.out_channels))

    return change


def group_norm(n_channels: int) -> nn.Module:
    """Wu & He 2018."""
    return nn.GroupNorm(N_GROUPS, n_channels)


def pytorch_init(model: ConvVAE) -> None:
    """PyTorch's own weights: uniform, with a third of the variance that would keep the input's."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear | DownConv | UpConv):
            layer.reset_parameters()


def pytorch_heads(model: ConvVAE) -> None:
    """The same for the encoder's last layers alone."""
    model.encoder.mean.reset_parameters()
    model.encoder.log_variance.reset_parameters()


def uncentred(model: ConvVAE) -> None:
    """Pixels from 0 to 1 into the first convolution."""
    model.encoder.centred = False


def logistic_output(model: ConvVAE) -> None:
    """The tutorial's output."""
    model.decoder.logistic = True


def _stacks(model: ConvVAE) -> Iterator[ConvolutionStack]:
    for trunk in (model.encoder.trunk, model.decoder.trunk):
        assert isinstance(trunk, ConvolutionStack)
        yield trunk
