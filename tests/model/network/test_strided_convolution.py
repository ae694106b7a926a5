"""Strided convolutions equal PyTorch's up to rounding, in bfloat16, float32 and float64."""

import pytest
import torch
from torch import Tensor, nn

from model.network.strided_convolution import DownConv, UpConv

N_IMAGES = 6
# Layers of the model, and shapes that it does not have: channels of the larger image and of the smaller one, side of
# the smaller one, and the name of the function that computes the gradient.
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
# bfloat16 keeps 8 bits: the error of a number is at most 1/512 of it, that of a sum of many numbers is less.
TOLERANCE = 0.006
FLOAT32_TOLERANCE = 1e-5
# In float32: shapes as above, number of images, and the function.
DOWN_FLOAT32 = [
    *((128, 256, 2, 64, "_Down"), (128, 256, 2, 63, "Convolution"), (64, 128, 4, 64, "Convolution")),
    *((3, 32, 16, 64, "Convolution"), (5, 7, 2, 64, "_Down")),
]
UP_FLOAT32 = [
    *((128, 256, 2, 64, "_Up"), (128, 256, 2, 63, "Convolution"), (64, 128, 4, 64, "Convolution")),
    *((3, 32, 16, 64, "_UpToFew"), (3, 32, 16, 1, "_UpToFew"), (2, 3, 2, 64, "_UpToFew")),
]


def layer_and_image(
    n_large: int, n_small: int, side: int, up: bool, bias: bool = False, n_images: int = N_IMAGES
) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    layer = UpConv(n_small, n_large, bias=bias) if up else DownConv(n_large, n_small, bias=bias)
    shape = (n_small, side, side) if up else (n_large, 2 * side, 2 * side)
    image = torch.randn(n_images, *shape).contiguous(memory_format=torch.channels_last)
    return layer.to(memory_format=torch.channels_last), image.requires_grad_()  # type: ignore[call-overload]


def pytorchs_output(layer: nn.Module, image: Tensor) -> Tensor:
    kind = nn.ConvTranspose2d if isinstance(layer, UpConv) else nn.Conv2d
    output: Tensor = kind.forward(layer, image)  # type: ignore[arg-type]
    return output


def relative_error(output: Tensor, reference: Tensor) -> float:
    return float(((output - reference).norm() / reference.norm()).detach())


def check_output_and_gradients(
    layer: nn.Module, image: Tensor, function: str, precision: torch.dtype = torch.bfloat16
) -> None:
    tolerance = TOLERANCE if precision == torch.bfloat16 else FLOAT32_TOLERANCE
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        output = layer(image)
    assert type(output.grad_fn).__name__.removesuffix("Backward0").removesuffix("Backward") == function
    reference = pytorchs_output(layer, image)
    assert output.dtype == precision and output.shape == reference.shape
    assert relative_error(output, reference) < tolerance
    slope = torch.randn(reference.shape, generator=torch.Generator().manual_seed(1)).to(precision)
    inputs = [image, *layer.parameters()]
    gradients = torch.autograd.grad(output, inputs, slope), torch.autograd.grad(reference, inputs, slope.float())
    for gradient, reference_gradient in zip(*gradients, strict=True):
        assert gradient.dtype == torch.float32 and gradient.shape == reference_gradient.shape
        assert relative_error(gradient, reference_gradient) < tolerance


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("n_large", "n_small", "side", "function"), DOWN)
def test_a_convolution_in_bfloat16_is_pytorchs_own_with_its_gradients(
    n_large: int, n_small: int, side: int, function: str, bias: bool
) -> None:
    check_output_and_gradients(*layer_and_image(n_large, n_small, side, up=False, bias=bias), function)


@pytest.mark.parametrize(("n_large", "n_small", "side", "bias", "function"), UP)
def test_a_transposed_convolution_in_bfloat16_is_pytorchs_own_with_its_gradients(
    n_large: int, n_small: int, side: int, bias: bool, function: str
) -> None:
    check_output_and_gradients(*layer_and_image(n_large, n_small, side, up=True, bias=bias), function)


@pytest.mark.parametrize(
    ("up", "n_large", "n_small", "side", "n_images", "function"),
    [*((False, *layer) for layer in DOWN_FLOAT32), *((True, *layer) for layer in UP_FLOAT32)],
)
def test_in_float32_too_output_and_gradients_are_pytorchs_own(
    up: bool, n_large: int, n_small: int, side: int, n_images: int, function: str
) -> None:
    layer, image = layer_and_image(n_large, n_small, side, up, bias=True, n_images=n_images)
    check_output_and_gradients(layer, image, function, torch.float32)


@pytest.mark.parametrize(("n_large", "n_small", "up"), [(4, 3, False), (4, 3, True), (2, 3, True)])
def test_gradients_are_the_slopes_of_the_output_in_float64(n_large: int, n_small: int, up: bool) -> None:
    layer, image = layer_and_image(n_large, n_small, 2, up, bias=True, n_images=64)
    layer.double()
    image = image.detach().double().requires_grad_()
    names = [name for name, _ in layer.named_parameters()]

    def output(image: Tensor, *parameters: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (image,))
        return found

    inputs = image, *layer.parameters()
    assert type(output(*inputs).grad_fn).__name__ in ("_DownBackward", "_UpBackward", "_UpToFewBackward")
    assert torch.autograd.gradcheck(output, inputs, fast_mode=True)


def test_a_transposed_convolution_has_the_output_size_of_its_argument() -> None:
    layer, image = layer_and_image(3, 8, 4, up=True, bias=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(image, [9, 9]).shape[-2:] == (9, 9)


@pytest.mark.parametrize("shape", [(6, 4), (5, 5), (4, 8)])
def test_images_of_odd_and_unequal_sides_are_convolved_as_well(shape: tuple[int, int]) -> None:
    layer, image = DownConv(5, 7), torch.randn(2, 5, *shape)
    with torch.autocast("cpu", torch.bfloat16):
        assert relative_error(layer(image), pytorchs_output(layer, image)) < TOLERANCE


def test_float16_is_computed_by_pytorch() -> None:
    layer, image = layer_and_image(64, 128, 4, up=False)
    with torch.autocast("cpu", torch.float16):
        assert layer(image).dtype == torch.float16
