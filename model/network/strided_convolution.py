"""Strided convolutions: layers that halve or double an image's sides, in the form that is fastest on the device.

On a CPU in bfloat16, matrix products run near the processor's peak (850 to 950 GFLOP/s on two cores of a Zen 5 EPYC),
but oneDNN's convolutions of small images do not. At batch 256, the weight gradient from 8x8 to 4x4 pixels takes 2.3 ms,
and 1.5 ms as a matrix product of patches; forward and backward from 4x4 to 2x2 take 8.1 ms, and 2.7 ms from patches.
Results are the same up to rounding.

B batch; C channels and H W pixels of the larger image; K channels and h w pixels of the smaller one.
"""

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Of every layer in this module.
KERNEL, STRIDE, PADDING = 4, 2, 1
# Largest side of the smaller image, in pixels, at which a weight gradient is faster from patches.
_PATCHED_SIDE = 4
# In an image of 2x2 each pixel is a corner: of the 16 pixels under its kernel, 9 lie in the larger image, the rest in
# its padding.
_CORNERS_SIDE = 2
_CORNERS = tuple(itertools.product(range(2), range(2)))
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
    rounded = _channels_last(x.bfloat16()), weight.bfloat16()
    ctx.save_for_backward(*rounded)
    return rounded


class _Down(torch.autograd.Function):
    """Convolution (B, C, H, W) to (B, K, h, w), from patches."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _add_bias(_convolve(*_save_in_bfloat16(ctx, x, weight)), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = _channels_last(gradients[0])
        return _convolve_transposed(gradient, weight), _weight_gradient(x, gradient), _bias_gradient(ctx, gradient)


class _Up(torch.autograd.Function):
    """Transposed convolution (B, K, h, w) to (B, C, H, W), from patches."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _add_bias(_convolve_transposed(*_save_in_bfloat16(ctx, x, weight)), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = _channels_last(gradients[0])
        return _convolve(gradient, weight), _weight_gradient(gradient, x), _bias_gradient(ctx, gradient)


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
        gradient = _channels_last(gradients[0])
        geometry = [STRIDE, STRIDE], [PADDING, PADDING], [1, 1], True, [0, 0], 1
        x_gradient, weight_gradient, bias_gradient = torch.ops.aten.convolution_backward(
            gradient, x, weight, [weight.shape[1]], *geometry, [True, True, ctx.needs_input_grad[2]]
        )
        return x_gradient, weight_gradient.float(), bias_gradient.float() if ctx.needs_input_grad[2] else None


def _convolve(images: Tensor, weight: Tensor) -> Tensor:
    """Compute the convolution of (B, C, H, W) to (B, K, h, w)."""
    if images.shape[2] // STRIDE != _CORNERS_SIDE:
        return functional.conv2d(images, weight, stride=STRIDE, padding=PADDING)
    small = torch.bmm(_corner_patches(images), _corner_kernels(weight).transpose(1, 2))
    return _channels_last(small.unflatten(0, (2, 2)).permute(2, 3, 0, 1))


def _convolve_transposed(small: Tensor, weight: Tensor) -> Tensor:
    """Compute the transposed convolution of (B, K, h, w) to (B, C, H, W)."""
    if small.shape[2] != _CORNERS_SIDE:
        return functional.conv_transpose2d(small, weight, stride=STRIDE, padding=PADDING)
    patches = torch.bmm(_corners(small), _corner_kernels(weight))
    images = patches.new_zeros(len(small), 4, 4, weight.shape[1])
    for patch, (row, column) in zip(patches.unflatten(2, (3, 3, -1)), _CORNERS, strict=True):
        images[:, row : row + 3, column : column + 3] += patch
    return images.permute(0, 3, 1, 2)


def _weight_gradient(images: Tensor, small: Tensor) -> Tensor:
    """Compute the weight gradient, (K, C, 4, 4) in float32, from (B, C, H, W) and (B, K, h, w)."""
    if small.shape[2] != _CORNERS_SIDE:
        kernels = (small.permute(0, 2, 3, 1).flatten(0, 2).t() @ _patches(images)).float()
        return kernels.view(-1, KERNEL, KERNEL, images.shape[1]).permute(0, 3, 1, 2)
    parts = torch.bmm(_corners(small).transpose(1, 2), _corner_patches(images))
    weight = parts.new_zeros(small.shape[1], KERNEL, KERNEL, images.shape[1], dtype=torch.float32)
    for part, (row, column) in zip(parts.unflatten(2, (3, 3, -1)), _CORNERS, strict=True):
        weight[:, 1 - row : 4 - row, 1 - column : 4 - column] += part
    return weight.permute(0, 3, 1, 2)


def _patches(images: Tensor) -> Tensor:
    """Return the patch of (B, C, H, W) under the kernel of each pixel of the smaller image, as (B h w, 16 C)."""
    padded = functional.pad(images.permute(0, 2, 3, 1), (0, 0, PADDING, PADDING, PADDING, PADDING))
    windows = padded.unfold(1, KERNEL, STRIDE).unfold(2, KERNEL, STRIDE)
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, KERNEL * KERNEL * images.shape[1])


def _corners(small: Tensor) -> Tensor:
    """Return the four pixels of (B, K, 2, 2) as (4, B, K)."""
    return small.permute(2, 3, 0, 1).flatten(0, 1)


def _corner_patches(images: Tensor) -> Tensor:
    """Return the 9 pixels of (B, C, 4, 4) under the kernel of each corner, as (4, B, 9 C)."""
    channels_last = images.permute(0, 2, 3, 1)
    return torch.stack([channels_last[:, row : row + 3, column : column + 3].flatten(1) for row, column in _CORNERS])


def _corner_kernels(weight: Tensor) -> Tensor:
    """Return the part of the weight (K, C, 4, 4) over these 9 pixels for each corner, as (4, K, 9 C)."""
    channels_last = weight.permute(0, 2, 3, 1)
    return torch.stack(
        [channels_last[:, 1 - row : 4 - row, 1 - column : 4 - column].flatten(1) for row, column in _CORNERS]
    )


def _add_bias(images: Tensor, bias: Tensor | None) -> Tensor:
    """Add each channel's bias to its pixels, in place."""
    return images if bias is None else images.add_(bias.bfloat16().view(-1, 1, 1))


def _bias_gradient(ctx: Any, gradient: Tensor) -> Tensor | None:
    """Compute the bias gradient, (C,) in float32; None for a layer without bias."""
    return gradient.sum((0, 2, 3), dtype=torch.float32) if ctx.needs_input_grad[2] else None


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


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
