"""Convolutions from patches are PyTorch's own, up to bfloat16's rounding; in float32 they are PyTorch's own."""

import pytest
import torch
from torch import Tensor, nn

from model.convolution import DownConv, UpConv

N_IMAGES = 6
# Every layer of the model, and shapes that it does not have: (larger image's channels, smaller one's, its side).
DOWN = [(3, 32, 16), (32, 64, 8), (64, 128, 4), (128, 256, 2), (5, 7, 4), (5, 7, 2), (4, 4, 1)]
UP = [
    (3, 32, 16, True),
    (32, 64, 8, False),
    (64, 128, 4, False),
    (128, 256, 2, False),
    (1, 5, 2, True),
    (9, 8, 4, True),
]
# bfloat16 keeps 8 bits: each number is off by up to 1/256, sums of many of them by less.
TOLERANCE = 0.006


def layer_and_image(n_large: int, n_small: int, side: int, up: bool, bias: bool = False) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    layer = UpConv(n_small, n_large, bias=bias) if up else DownConv(n_large, n_small)
    shape = (n_small, side, side) if up else (n_large, 2 * side, 2 * side)
    image = torch.randn(N_IMAGES, *shape).contiguous(memory_format=torch.channels_last)
    return layer.to(memory_format=torch.channels_last), image.requires_grad_()  # type: ignore[call-overload]


def plain(layer: nn.Module, image: Tensor) -> Tensor:
    kind = nn.ConvTranspose2d if isinstance(layer, UpConv) else nn.Conv2d
    output: Tensor = kind.forward(layer, image)  # type: ignore[arg-type]
    return output


def distance(ours: Tensor, theirs: Tensor) -> float:
    return float(((ours - theirs).norm() / theirs.norm()).detach())


def check_alike(layer: nn.Module, image: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        ours = layer(image)
    theirs = plain(layer, image)
    assert ours.dtype == torch.bfloat16 and ours.shape == theirs.shape
    assert distance(ours, theirs) < TOLERANCE
    slope = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    inputs = [image, *layer.parameters()]
    gradients = torch.autograd.grad(ours, inputs, slope), torch.autograd.grad(theirs, inputs, slope.float())
    for mine, other in zip(*gradients, strict=True):
        assert mine.dtype == torch.float32 and mine.shape == other.shape
        assert distance(mine, other) < TOLERANCE


@pytest.mark.parametrize(("n_large", "n_small", "side"), DOWN)
def test_a_convolution_in_bfloat16_is_pytorchs_own_with_its_gradients(n_large: int, n_small: int, side: int) -> None:
    check_alike(*layer_and_image(n_large, n_small, side, up=False))


@pytest.mark.parametrize(("n_large", "n_small", "side", "bias"), UP)
def test_a_transposed_convolution_in_bfloat16_is_pytorchs_own_with_its_gradients(
    n_large: int, n_small: int, side: int, bias: bool
) -> None:
    check_alike(*layer_and_image(n_large, n_small, side, up=True, bias=bias))


@pytest.mark.parametrize("up", [False, True])
def test_in_float32_nothing_is_changed_to_the_last_bit(up: bool) -> None:
    layer, image = layer_and_image(64, 128, 2, up)
    assert torch.equal(layer(image), plain(layer, image))


def test_an_output_size_that_is_asked_for_is_heeded() -> None:
    layer, image = layer_and_image(3, 8, 4, up=True, bias=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(image, [9, 9]).shape[-2:] == (9, 9)
