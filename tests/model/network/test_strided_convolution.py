"""Convolutions from patches are PyTorch's own, up to bfloat16's rounding; in float32 they are PyTorch's own."""

import pytest
import torch
from torch import Tensor, nn

from model.network.strided_convolution import DownConv, UpConv

N_IMAGES = 6
# Every layer of the model, and shapes that it does not have: (larger image's channels, smaller one's, its side), and
# whose gradient it is.
DOWN = [
    *((3, 32, 16, "Convolution"), (32, 64, 8, "Convolution"), (64, 128, 4, "_Down"), (128, 256, 2, "_Down")),
    *((5, 7, 4, "_Down"), (5, 7, 2, "_Down"), (4, 4, 1, "_Down")),
]
UP = [
    *((3, 32, 16, True, "_UpToFew"), (32, 64, 8, False, "Convolution"), (64, 128, 4, False, "_Up")),
    *(
        (128, 256, 2, False, "_Up"),
        (1, 5, 2, True, "_UpToFew"),
        (64, 128, 4, True, "_Up"),
        (128, 256, 2, True, "_Up"),
        (9, 8, 8, True, "Convolution"),
    ),
]
# bfloat16 keeps 8 bits: each number is off by up to 1/512, sums of many of them by less.
TOLERANCE = 0.006


def layer_and_image(n_large: int, n_small: int, side: int, up: bool, bias: bool = False) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    layer = UpConv(n_small, n_large, bias=bias) if up else DownConv(n_large, n_small, bias=bias)
    shape = (n_small, side, side) if up else (n_large, 2 * side, 2 * side)
    image = torch.randn(N_IMAGES, *shape).contiguous(memory_format=torch.channels_last)
    return layer.to(memory_format=torch.channels_last), image.requires_grad_()  # type: ignore[call-overload]


def plain(layer: nn.Module, image: Tensor) -> Tensor:
    kind = nn.ConvTranspose2d if isinstance(layer, UpConv) else nn.Conv2d
    output: Tensor = kind.forward(layer, image)  # type: ignore[arg-type]
    return output


def distance(ours: Tensor, theirs: Tensor) -> float:
    return float(((ours - theirs).norm() / theirs.norm()).detach())


def check_alike(layer: nn.Module, image: Tensor, whose: str) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        ours = layer(image)
    assert type(ours.grad_fn).__name__.removesuffix("Backward0").removesuffix("Backward") == whose
    theirs = plain(layer, image)
    assert ours.dtype == torch.bfloat16 and ours.shape == theirs.shape
    assert distance(ours, theirs) < TOLERANCE
    slope = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    inputs = [image, *layer.parameters()]
    gradients = torch.autograd.grad(ours, inputs, slope), torch.autograd.grad(theirs, inputs, slope.float())
    for mine, other in zip(*gradients, strict=True):
        assert mine.dtype == torch.float32 and mine.shape == other.shape
        assert distance(mine, other) < TOLERANCE


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("n_large", "n_small", "side", "whose"), DOWN)
def test_a_convolution_in_bfloat16_is_pytorchs_own_with_its_gradients(
    n_large: int, n_small: int, side: int, whose: str, bias: bool
) -> None:
    check_alike(*layer_and_image(n_large, n_small, side, up=False, bias=bias), whose)


@pytest.mark.parametrize(("n_large", "n_small", "side", "bias", "whose"), UP)
def test_a_transposed_convolution_in_bfloat16_is_pytorchs_own_with_its_gradients(
    n_large: int, n_small: int, side: int, bias: bool, whose: str
) -> None:
    check_alike(*layer_and_image(n_large, n_small, side, up=True, bias=bias), whose)


@pytest.mark.parametrize("up", [False, True])
def test_in_float32_nothing_is_changed_to_the_last_bit(up: bool) -> None:
    layer, image = layer_and_image(64, 128, 2, up)
    assert torch.equal(layer(image), plain(layer, image))


def test_an_output_size_that_is_asked_for_is_heeded() -> None:
    layer, image = layer_and_image(3, 8, 4, up=True, bias=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(image, [9, 9]).shape[-2:] == (9, 9)


@pytest.mark.parametrize("shape", [(6, 4), (5, 5), (4, 8)])
def test_images_of_other_shapes_are_convolved_all_the_same(shape: tuple[int, int]) -> None:
    layer, image = DownConv(5, 7), torch.randn(2, 5, *shape)
    with torch.autocast("cpu", torch.bfloat16):
        assert distance(layer(image), plain(layer, image)) < TOLERANCE


def test_another_low_precision_than_bfloat16_is_left_to_pytorch() -> None:
    layer, image = layer_and_image(64, 128, 4, up=False)
    with torch.autocast("cpu", torch.float16):
        assert layer(image).dtype == torch.float16
