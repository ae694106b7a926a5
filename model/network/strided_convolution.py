"""Strided convolutions: layers that halve or double an image's sides, in the form that is fastest on the device.

On a CPU in bfloat16, matrix products run near the processor's peak (850 to 950 GFLOP/s on two cores of a Zen 5 EPYC),
but oneDNN's convolutions of small images do not. At batch 256, the weight gradient from 8x8 to 4x4 pixels takes 2.3 ms,
and 1.5 ms as a matrix product of patches; forward and backward from 4x4 to 2x2 take 8.1 ms, and 2.7 ms from patches.
Results are the same up to rounding.

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
    to_channels_last,
)

# Largest side of the smaller image, in pixels, at which a weight gradient is faster from patches.
_PATCHED_SIDE = 4
_FEW_CHANNELS = 3


class DownConv(nn.Conv2d):
    """Convolution that halves both sides of an image. The weight has the shape of `nn.Conv2d`'s, (K, C, 4, 4)."""

    def __init__(self, n_in: int, n_out: int, bias: bool = False) -> None:
        super().__init__(n_in, n_out, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve images (B, C, H, W); return (B, K, h, w)."""
        if _prefers_products(x) and x.shape[2] % STRIDE == 0 and x.shape[2] // STRIDE <= _PATCHED_SIDE:
            return _apply(_Down, x, self.weight, self.bias)
        return super().forward(x)


class UpConv(nn.ConvTranspose2d):
    """Transposed convolution that doubles both sides of an image. The weight has its usual shape, (K, C, 4, 4)."""

    def __init__(self, n_in: int, n_out: int, bias: bool = False) -> None:
        super().__init__(n_in, n_out, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve images (B, K, h, w); return (B, C, H, W)."""
        if _prefers_products(x) and output_size is None:
            if self.out_channels <= _FEW_CHANNELS:
                return _apply(_UpToFew, x, self.weight, self.bias)
            if x.shape[2] <= _PATCHED_SIDE:
                return _apply(_Up, x, self.weight, self.bias)
        return super().forward(x, output_size)


def _prefers_products(x: Tensor) -> bool:
    """Return True where matrix products are faster: square images on a CPU under autocast to bfloat16."""
    on_cpu = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    return on_cpu and torch.get_autocast_dtype("cpu") == torch.bfloat16 and x.shape[2] == x.shape[3]


def _apply(function: type[torch.autograd.Function], *inputs: Tensor | None) -> Tensor:
    """Call `function.apply`, which has no type annotations."""
    output: Tensor = function.apply(*inputs)
    return output


def _save_in_bfloat16(ctx: Any, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Convert both to bfloat16 and save them for the backward pass."""
    rounded = to_channels_last(x.bfloat16()), weight.bfloat16()
    ctx.save_for_backward(*rounded)
    return rounded


class _Down(torch.autograd.Function):
    """Convolution (B, C, H, W) to (B, K, h, w), from patches."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _add_bias(convolve(*_save_in_bfloat16(ctx, x, weight)), bias)

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
        return _add_bias(convolve_transposed(*_save_in_bfloat16(ctx, x, weight)), bias)

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
        x, rounded_weight = _save_in_bfloat16(ctx, x, weight)
        cell_bias = None if bias is None else bias.bfloat16().repeat(STRIDE * STRIDE)
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
        return x_gradient, weight_gradient.float(), bias_gradient.float() if ctx.needs_input_grad[2] else None


def _add_bias(images: Tensor, bias: Tensor | None) -> Tensor:
    """Add each channel's bias to its pixels, in place."""
    return images if bias is None else images.add_(bias.bfloat16().view(-1, 1, 1))


def _bias_gradient(ctx: Any, gradient: Tensor) -> Tensor | None:
    """Compute the bias gradient, (C,) in float32; None for a layer without bias."""
    return gradient.sum((0, 2, 3), dtype=torch.float32) if ctx.needs_input_grad[2] else None


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
