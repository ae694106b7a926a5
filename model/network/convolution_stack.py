"""Strided convolutions with what follows each of them, one after another."""

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from model.config import Architecture
from model.network.initial_weights import SILU_GAIN, keep_variance
from model.network.strided_convolution import DownConv, UpConv


class ConvolutionStack(nn.Sequential):
    """Sequence of layers with its own forward method: `compile()` skips modules whose forward PyTorch defines."""

    @classmethod
    def of_blocks(
        cls, kind: type[DownConv | UpConv], sizes: Sequence[int], architecture: Architecture
    ) -> "ConvolutionStack":
        """Create a block of one convolution for each pair of successive numbers of channels."""
        stack = cls()
        for n_in, n_out in itertools.pairwise(sizes):
            stack.extend(_block(kind, n_in, n_out, architecture))
        return stack

    @property
    def convolutions(self) -> list[DownConv | UpConv]:
        """The layers that have weights of their own, but for normalisations."""
        return [layer for layer in self if isinstance(layer, DownConv | UpConv)]

    @property
    def output_layers(self) -> list[nn.Module]:
        """The last layer."""
        return [self[-1]]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Run all layers in turn. `compile()` compiles `__call__`; a direct call of `forward` is always eager."""
        for layer in self:
            x_BCHW = layer(x_BCHW)
        return x_BCHW


def _block(kind: type[DownConv | UpConv], n_in: int, n_out: int, architecture: Architecture) -> tuple[nn.Module, ...]:
    if architecture == "plain":
        return kind(n_in, n_out), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)
    layer = kind(n_in, n_out, bias=True)
    keep_variance(layer, SILU_GAIN)
    return layer, nn.SiLU()
