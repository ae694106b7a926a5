"""Decoder as arrays and a list of steps, for programs without PyTorch, such as a page in a browser.

C channels, H W pixels, K channels of the smaller image, N features, Z latent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.network.convolution_stack import ConvolutionStack
from model.network.feature_maps import Shape
from model.network.linear_skip import SHARE, SkipUp
from model.network.vae import GREY, ConvVAE

Array = NDArray[np.float32]
Activation = Literal["silu", "relu", "none"]


@dataclass(frozen=True)
class Layer:
    """Transposed convolution with `weight` (K, C, n, n) and `bias` (C,), then an activation."""

    weight: Array
    bias: Array
    stride: int
    padding: int
    activation: Activation


@dataclass(frozen=True)
class Step:
    """Apply `layers` to map number `source`, and add `scale` times the result to map `target`; -1 is the image."""

    source: int
    target: int
    scale: float
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class DecoderSteps:
    """Decoder behind its first layer, which maps a code to the features of all maps and is linear.

    `shapes` are those of the maps, in the order of the features. Each feature vector goes on with `n_pixels` values
    that are added to the image: those of the linear path, or none. Then `offset` is added, and `output` bounds the
    image. `margin` pixels of each side of the image are cut off before.
    """

    shapes: tuple[Shape, ...]
    n_pixels: int
    steps: tuple[Step, ...]
    margin: int
    offset: float
    output: Literal["clamp", "logistic"]


@torch.no_grad()
def decoder_steps(network: ConvVAE) -> DecoderSteps:
    """Describe the decoder of a network, in evaluation mode."""
    decoder = network.decoder
    has_linear_path = decoder.linear is not None
    return DecoderSteps(
        shapes=decoder.map_shapes,
        n_pixels=0 if network.linear is None else network.linear.pixel_mean.numel(),
        steps=_steps(decoder.trunk),
        margin=decoder.margin,
        offset=0.0 if decoder.logistic or has_linear_path else GREY,
        output="logistic" if decoder.logistic else "clamp",
    )


@torch.no_grad()
def code_features(network: ConvVAE, codes_NZ: Tensor) -> Array:
    """Compute the features of codes, with the pixels of the linear path, if there is one, shape (N, F)."""
    codes_NZ = codes_NZ.to(next(network.parameters()).device)
    features = [network.decoder.project(codes_NZ)]
    if network.linear is not None:
        features.append(network.linear.decode(codes_NZ).flatten(1))
    return torch.cat(features, 1).float().cpu().numpy()


def _steps(trunk: SkipUp | ConvolutionStack) -> tuple[Step, ...]:
    if isinstance(trunk, ConvolutionStack):
        return (Step(0, -1, 1.0, _layers(trunk)),)
    above = (Step(1, 0, SHARE, _layers(trunk.above)),) if len(trunk.above) else ()
    return *above, Step(0, -1, 1.0, _layers([trunk.projection])), Step(0, -1, SHARE, _layers(trunk.beside))


def _layers(modules: Sequence[nn.Module] | nn.Sequential) -> tuple[Layer, ...]:
    """Return the convolutions, each with the normalisation and the activation that follow it."""
    layers: list[Layer] = []
    for module in modules:
        if isinstance(module, nn.ConvTranspose2d):
            bias = torch.zeros(module.out_channels) if module.bias is None else module.bias
            assert not isinstance(module.padding, str), "transposed convolutions have numbers"
            layers.append(Layer(_array(module.weight), _array(bias), module.stride[0], module.padding[0], "none"))
        elif isinstance(module, nn.BatchNorm2d):
            layers[-1] = _normalized(layers[-1], module)
        else:
            assert isinstance(module, nn.SiLU | nn.ReLU), "the activations that networks have"
            layers[-1] = _activated(layers[-1], "silu" if isinstance(module, nn.SiLU) else "relu")
    return tuple(layers)


def _normalized(layer: Layer, norm: nn.BatchNorm2d) -> Layer:
    """Return a layer that computes what the normalisation makes of its result, in evaluation mode."""
    assert norm.running_mean is not None and norm.running_var is not None
    gain = _array(norm.weight / torch.sqrt(norm.running_var + norm.eps))
    bias = (layer.bias - _array(norm.running_mean)) * gain + _array(norm.bias)
    return Layer(layer.weight * gain[:, None, None], bias, layer.stride, layer.padding, layer.activation)


def _activated(layer: Layer, activation: Activation) -> Layer:
    return Layer(layer.weight, layer.bias, layer.stride, layer.padding, activation)


def _array(tensor: Tensor) -> Array:
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())
