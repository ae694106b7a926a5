"""Strided convolutions: layers that halve or double an image's sides, in the form that is fastest on the device.

On a CPU, matrix products run near the processor's peak, but oneDNN's convolutions of small images do not. Milliseconds
on two cores, forward or one gradient where nothing else is said:

| | precision, processor | batch | oneDNN | here |
|---|---|---|---|---|
| 32 to 3 channels, 16x16 to 32x32 | float32, Zen 4 without AVX-512 | 64 | 2.6 | 1.3 |
| | | 256 | 11.3 | 5.7 |
| 128 to 256 channels, 4x4 to 2x2, forward | | 256 | 9.0 | 6.9 |
| its weight gradient | | 64 | 4.7 | 1.7 |
| | | 256 | 13.6 | 5.4 |
| the same layer, forward and backward | bfloat16, Zen 5 | 256 | 8.1 | 2.7 |
| weight gradient, 8x8 to 4x4 | | 256 | 2.3 | 1.5 |

In float32 oneDNN computes the other layers at 60% of the peak or more, and products of patches take longer; with fewer
than 64 images the small ones too. Results are the same up to rounding.

B batch; C channels and H W pixels of the larger image; K channels and h w pixels of the smaller one.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from model.network.patch_products import (
    KERNEL,
    PADDING,
    STRIDE,
    convolve,
    convolve_transposed,
    gradient_of_weight,
    precise_type,
    to_channels_last,
)

# Where products of patches are faster: the largest side of the smaller image in pixels, and the fewest images.
_PATCHED = {torch.bfloat16: (4, 1), torch.float32: (2, 64), torch.float64: (2, 64)}
_FEW_CHANNELS = 3


class DownConv(nn.Conv2d):
    """Convolution that halves both sides of an image. The weight has the shape of `nn.Conv2d`'s, (K, C, 4, 4)."""

    def __init__(self, n_in: int, n_out: int, bias: bool = False) -> None:
        super().__init__(n_in, n_out, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve images (B, C, H, W); return (B, K, h, w)."""
        if x.shape[2] % STRIDE == 0 and _prefers_patches(x, x.shape[2] // STRIDE):
            return _apply(_Down, x, self.weight, self.bias)
        return super().forward(x)


class UpConv(nn.ConvTranspose2d):
    """Transposed convolution that doubles both sides of an image. The weight has its usual shape, (K, C, 4, 4)."""

    def __init__(self, n_in: int, n_out: int, bias: bool = False) -> None:
        super().__init__(n_in, n_out, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve images (B, K, h, w); return (B, C, H, W)."""
        if output_size is None:
            if self.out_channels <= _FEW_CHANNELS and _prefers_products(x):
                return _apply(_UpToFew, x, self.weight, self.bias)
            if _prefers_patches(x, x.shape[2]):
                return _apply(_Up, x, self.weight, self.bias)
        return super().forward(x, output_size)


def _prefers_products(x: Tensor) -> bool:
    """Return True for square images on a CPU, in a precision that training uses, or float64.

    False while the network is exported: other programs have convolutions of their own.
    """
    if torch.compiler.is_exporting():
        return False
    return x.device.type == "cpu" and x.shape[2] == x.shape[3] and _precision(x) in _PATCHED


def _prefers_patches(x: Tensor, side: int) -> bool:
    """Return True where products of patches are faster, with smaller images of this side."""
    if not _prefers_products(x):
        return False
    largest_side, fewest_images = _PATCHED[_precision(x)]
    return side <= largest_side and len(x) >= fewest_images


def _precision(x: Tensor) -> torch.dtype:
    """Return the type that a layer on a CPU computes in."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def _apply(function: type[torch.autograd.Function], *inputs: Tensor | None) -> Tensor:
    """Call `function.apply`, which has no type annotations."""
    output: Tensor = function.apply(*inputs)
    return output


def _save_in_precision(ctx: Any, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Convert both to the type that the layer computes in, and save them for the backward pass."""
    precision = _precision(x)
    rounded = to_channels_last(x.to(precision)), weight.to(precision)
    ctx.save_for_backward(*rounded)
    return rounded


class _Down(torch.autograd.Function):
    """Convolution (B, C, H, W) to (B, K, h, w), from patches."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _add_bias(convolve(*_save_in_precision(ctx, x, weight)), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = to_channels_last(gradients[0])
        return convolve_transposed(gradient, weight), gradient_of_weight(x, gradient), _bias_gradient(ctx, gradient)


class _Up(torch.autograd.Function):
    """Transposed convolution (B, K, h, w) to (B, C, H, W), from patches."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _add_bias(convolve_transposed(*_save_in_precision(ctx, x, weight)), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = to_channels_last(gradients[0])
        return convolve(gradient, weight), gradient_of_weight(gradient, x), _bias_gradient(ctx, gradient)


class _UpToFew(torch.autograd.Function):
    """Transposed convolution to few channels: a 2x2 convolution computes cells of 2x2 pixels, offset by one pixel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x, rounded_weight = _save_in_precision(ctx, x, weight)
        cell_bias = None if bias is None else bias.to(x.dtype).repeat(STRIDE * STRIDE)
        cells = functional.conv2d(x, _cell_weight(rounded_weight), cell_bias, padding=1)
        return _cells_to_images(cells.permute(0, 2, 3, 1).unflatten(3, (STRIDE, STRIDE, weight.shape[1])))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = to_channels_last(gradients[0])
        geometry = [STRIDE, STRIDE], [PADDING, PADDING], [1, 1], True, [0, 0], 1
        x_gradient, weight_gradient, bias_gradient = torch.ops.aten.convolution_backward(
            gradient, x, weight, [weight.shape[1]], *geometry, [True, True, ctx.needs_input_grad[2]]
        )
        precise = precise_type(weight)
        return x_gradient, weight_gradient.to(precise), bias_gradient.to(precise) if ctx.needs_input_grad[2] else None


def _add_bias(images: Tensor, bias: Tensor | None) -> Tensor:
    """Add each channel's bias to its pixels, in place."""
    return images if bias is None else images.add_(bias.to(images.dtype).view(-1, 1, 1))


def _bias_gradient(ctx: Any, gradient: Tensor) -> Tensor | None:
    """Compute the bias gradient, (C,) in `precise_type`; None for a layer without bias."""
    return gradient.sum((0, 2, 3), dtype=precise_type(gradient)) if ctx.needs_input_grad[2] else None


def _cells_to_images(cells: Tensor) -> Tensor:
    """Arrange cells of 2x2 pixels, (B, h + 1, w + 1, 2, 2, C), as images (B, C, H, W), without the padding."""
    n_images, n_rows, n_columns, *_, n_channels = cells.shape
    padded = cells.permute(0, 1, 3, 2, 4, 5).reshape(n_images, 2 * n_rows, 2 * n_columns, n_channels)
    return padded[:, PADDING:-PADDING, PADDING:-PADDING].permute(0, 3, 1, 2)


def _cell_weight(weight: Tensor) -> Tensor:
    """Rearrange a weight (K, C, 4, 4) so that a 2x2 convolution computes cells: (4 C, K, 2, 2)."""
    n_small, n_large = weight.shape[:2]
    # Flipped: a cell's upper left neighbour reaches it with the last rows and columns of its kernel.
    by_cell = weight.reshape(n_small, n_large, 2, 2, 2, 2).flip(2, 4)
    return by_cell.permute(3, 5, 1, 0, 2, 4).reshape(-1, n_small, 2, 2)
