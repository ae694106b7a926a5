"""Convolutions that halve or double an image's sides, in the form that is fastest on the machine at hand.

On a CPU in bfloat16 matrix products run near the processor's peak (850 to 950 GFLOP/s on two cores of a Zen 5 EPYC),
oneDNN's convolutions of small images below it: at batch 256 the weight's gradient of 4x4 pixels from 8x8 takes 2.3 ms,
from patches 1.5; of 2x2 from 4x4, forward and backward, 8.1 ms, from patches 2.7. Up to rounding, nothing else changes.

B batch; C channels and H W pixels of the larger image; K channels and h w pixels of the smaller one.
"""

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Of every layer here.
KERNEL, STRIDE, PADDING = 4, 2, 1
# Pixels of a side of the smaller image: up to so many, a weight's gradient is faster from patches.
_PATCHED_SIDE = 4
# Each pixel of an image of 2x2 is a corner: 9 of the 16 pixels that its kernel covers lie in the larger image.
_CORNERS_SIDE = 2
_CORNERS = tuple(itertools.product(range(2), range(2)))
_FEW_CHANNELS = 3


class DownConv(nn.Conv2d):
    """Halves both sides of an image. Its weight is that of `nn.Conv2d`, (K, C, 4, 4)."""

    def __init__(self, n_in: int, n_out: int, bias: bool = False) -> None:
        super().__init__(n_in, n_out, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, K, h, w)."""
        if _prefers_products(x) and x.shape[2] % STRIDE == 0 and x.shape[2] // STRIDE <= _PATCHED_SIDE:
            return _apply(_Down, x, self.weight, self.bias)
        return super().forward(x)


class UpConv(nn.ConvTranspose2d):
    """Doubles both sides of an image. Its weight is that of `nn.ConvTranspose2d`, (K, C, 4, 4)."""

    def __init__(self, n_in: int, n_out: int, bias: bool = False) -> None:
        super().__init__(n_in, n_out, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, K, h, w) to (B, C, H, W)."""
        if _prefers_products(x) and output_size is None:
            if self.out_channels <= _FEW_CHANNELS:
                return _apply(_UpToFew, x, self.weight, self.bias)
            if x.shape[2] <= _PATCHED_SIDE:
                return _apply(_Up, x, self.weight, self.bias)
        return super().forward(x, output_size)


def _prefers_products(x: Tensor) -> bool:
    on_cpu = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    return on_cpu and torch.get_autocast_dtype("cpu") == torch.bfloat16 and x.shape[2] == x.shape[3]


def _apply(function: type[torch.autograd.Function], *inputs: Tensor | None) -> Tensor:
    output: Tensor = function.apply(*inputs)
    return output


def _keep(ctx: Any, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Both in bfloat16, kept for the way back."""
    low = _pixels_last(x.bfloat16()), weight.bfloat16()
    ctx.save_for_backward(*low)
    return low


class _Down(torch.autograd.Function):
    """The convolution, (B, C, H, W) to (B, K, h, w)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _add(_gather(*_keep(ctx, x, weight)), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = _pixels_last(gradients[0])
        return _spread(gradient, weight), _weight_gradient(x, gradient), _bias_gradient(ctx, gradient)


class _Up(torch.autograd.Function):
    """The transposed convolution, (B, K, h, w) to (B, C, H, W)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _add(_spread(*_keep(ctx, x, weight)), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = _pixels_last(gradients[0])
        return _gather(gradient, weight), _weight_gradient(gradient, x), _bias_gradient(ctx, gradient)


class _UpToFew(torch.autograd.Function):
    """The same, to few channels: a convolution of 2x2 pixels yields cells of 2x2, which begin one pixel outside."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x, low_weight = _keep(ctx, x, weight)
        cell_bias = None if bias is None else bias.bfloat16().repeat(STRIDE * STRIDE)
        cells = functional.conv2d(x, _cell_weight(low_weight), cell_bias, padding=1)
        return _uncell(cells.permute(0, 2, 3, 1).unflatten(3, (STRIDE, STRIDE, weight.shape[1])))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = _pixels_last(gradients[0])
        geometry = [STRIDE, STRIDE], [PADDING, PADDING], [1, 1], True, [0, 0], 1
        x_gradient, weight_gradient, bias_gradient = torch.ops.aten.convolution_backward(
            gradient, x, weight, [weight.shape[1]], *geometry, [True, True, ctx.needs_input_grad[2]]
        )
        return x_gradient, weight_gradient.float(), bias_gradient.float() if ctx.needs_input_grad[2] else None


def _gather(images: Tensor, weight: Tensor) -> Tensor:
    """The convolution, (B, C, H, W) to (B, K, h, w)."""
    if images.shape[2] // STRIDE != _CORNERS_SIDE:
        return functional.conv2d(images, weight, stride=STRIDE, padding=PADDING)
    small = torch.bmm(_seen_by_corners(images), _kernels_of_corners(weight).transpose(1, 2))
    return _pixels_last(small.unflatten(0, (2, 2)).permute(2, 3, 0, 1))


def _spread(small: Tensor, weight: Tensor) -> Tensor:
    """The transposed convolution, (B, K, h, w) to (B, C, H, W)."""
    if small.shape[2] != _CORNERS_SIDE:
        return functional.conv_transpose2d(small, weight, stride=STRIDE, padding=PADDING)
    seen = torch.bmm(_corners(small), _kernels_of_corners(weight))
    images = seen.new_zeros(len(small), 4, 4, weight.shape[1])
    for part, (row, column) in zip(seen.unflatten(2, (3, 3, -1)), _CORNERS, strict=True):
        images[:, row : row + 3, column : column + 3] += part
    return images.permute(0, 3, 1, 2)


def _weight_gradient(images: Tensor, small: Tensor) -> Tensor:
    """(K, C, 4, 4) in float32, from (B, C, H, W) and (B, K, h, w)."""
    if small.shape[2] != _CORNERS_SIDE:
        kernels = (small.permute(0, 2, 3, 1).flatten(0, 2).t() @ _patches(images)).float()
        return kernels.view(-1, KERNEL, KERNEL, images.shape[1]).permute(0, 3, 1, 2)
    parts = torch.bmm(_corners(small).transpose(1, 2), _seen_by_corners(images))
    weight = parts.new_zeros(small.shape[1], KERNEL, KERNEL, images.shape[1], dtype=torch.float32)
    for part, (row, column) in zip(parts.unflatten(2, (3, 3, -1)), _CORNERS, strict=True):
        weight[:, 1 - row : 4 - row, 1 - column : 4 - column] += part
    return weight.permute(0, 3, 1, 2)


def _patches(images: Tensor) -> Tensor:
    """What each pixel of the smaller image sees of (B, C, H, W), as (B h w, 16 C)."""
    padded = functional.pad(images.permute(0, 2, 3, 1), (0, 0, PADDING, PADDING, PADDING, PADDING))
    windows = padded.unfold(1, KERNEL, STRIDE).unfold(2, KERNEL, STRIDE)
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, KERNEL * KERNEL * images.shape[1])


def _corners(small: Tensor) -> Tensor:
    """The four pixels of (B, K, 2, 2), as (4, B, K)."""
    return small.permute(2, 3, 0, 1).flatten(0, 1)


def _seen_by_corners(images: Tensor) -> Tensor:
    """What each corner sees of (B, C, 4, 4), as (4, B, 9 C)."""
    last = images.permute(0, 2, 3, 1)
    return torch.stack([last[:, row : row + 3, column : column + 3].flatten(1) for row, column in _CORNERS])


def _kernels_of_corners(weight: Tensor) -> Tensor:
    """The parts of (K, C, 4, 4) by which they see it, as (4, K, 9 C)."""
    last = weight.permute(0, 2, 3, 1)
    return torch.stack([last[:, 1 - row : 4 - row, 1 - column : 4 - column].flatten(1) for row, column in _CORNERS])


def _add(images: Tensor, bias: Tensor | None) -> Tensor:
    """A channel's bias added to all its pixels, in place."""
    return images if bias is None else images.add_(bias.bfloat16().view(-1, 1, 1))


def _bias_gradient(ctx: Any, gradient: Tensor) -> Tensor | None:
    """(C,) in float32, where there is a bias to have one."""
    return gradient.sum((0, 2, 3), dtype=torch.float32) if ctx.needs_input_grad[2] else None


def _pixels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _uncell(cells: Tensor) -> Tensor:
    """Cells of 2x2 pixels, (B, h + 1, w + 1, 2, 2, C), as (B, C, H, W): the padding falls away."""
    n_images, n_rows, n_columns, *_, n_channels = cells.shape
    padded = cells.permute(0, 1, 3, 2, 4, 5).reshape(n_images, 2 * n_rows, 2 * n_columns, n_channels)
    return padded[:, PADDING:-PADDING, PADDING:-PADDING].permute(0, 3, 1, 2)


def _cell_weight(weight: Tensor) -> Tensor:
    """The weight that makes cells of the smaller image: (K, C, 4, 4) as (4 C, K, 2, 2)."""
    n_small, n_large = weight.shape[:2]
    # A cell's upper left neighbour reaches it with the last rows and columns of its kernel.
    by_cell = weight.reshape(n_small, n_large, 2, 2, 2, 2).flip(2, 4)
    return by_cell.permute(3, 5, 1, 0, 2, 4).reshape(-1, n_small, 2, 2)
