"""Initial weights of the architecture without normalisation, and of layers beside a linear path."""

import math

from torch import nn

from model.network.strided_convolution import DownConv, UpConv

# Compensates for SiLU: E[silu(x)^2] = 0.356 for a standard normal x.
SILU_GAIN = 1 / math.sqrt(0.356)


def keep_variance(layer: nn.Linear | DownConv | UpConv, gain: float) -> None:
    """Draw weights from N(0, gain² / n), n inputs per output, so that the mean square grows by gain²; zero the bias."""
    if isinstance(layer, nn.Linear):
        n_inputs = layer.in_features
    else:
        # In a transposed convolution of stride 2, 4 of a kernel's 16 pixels reach each output pixel.
        n_inputs = layer.in_channels * (16 if isinstance(layer, DownConv) else 4)
    nn.init.normal_(layer.weight, std=gain / math.sqrt(n_inputs))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def set_to_zero(layer: nn.Module) -> None:
    """Set weight and bias to zero, so that a linear path alone makes the first outputs."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
