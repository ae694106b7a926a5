"""The VAE of many models at once: its layers with a leading dimension of models, as batched matrix products.

M models, B batch, H W pixels, h w half as many, C K channels, Z latent of the largest model.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from model.network.linear_skip import PATCH
from model.network.patch_products import KERNEL, PADDING, STRIDE
from model.network.vae import GREY

# Sides of a product are multiples of this, for which the tensor cores' fast kernels are.
ALIGNED = 16


def down(x: Tensor, bias: Tensor, weight: Tensor, active: bool) -> Tensor:
    """SiLU where `active`, then the convolution: (M, B, H, W, C) to (M, B, h, w, K).

    The bias is (M, 1, K), the weight (M, 16 C, K).
    """
    return _apply(_Down, x, bias, weight, active)


def up(x: Tensor, bias: Tensor, weight: Tensor, active: bool) -> Tensor:
    """SiLU where `active`, then the transposed convolution: (M, B, h, w, K) to (M, B, H, W, C).

    The bias is (M, 1, C), the weight (M, 16 C, K).
    """
    return _apply(_Up, x, bias, weight, active)


def squared_errors(x: Tensor, output: Tensor) -> Tensor:
    """Squared error of images (M, B, 32, 32, 3) and clamped outputs, per image, (M, B). Gradients pass the clamp."""
    return _apply(_SquaredErrors, x, output)


def embed(x: Tensor, weight: Tensor) -> Tensor:
    """Each patch of 4x4 pixels as one: (M, B, H, W, 3) to (M, B, H/4, W/4, C); the weight is (M, 48, C)."""
    n_models, n_images, height, width = x.shape[:4]
    rows = x.unflatten(3, (-1, PATCH)).unflatten(2, (-1, PATCH)).transpose(3, 4).reshape(n_models, -1, weight.shape[1])
    return torch.bmm(rows, weight).view(n_models, n_images, height // PATCH, width // PATCH, -1)


def project_patches(h: Tensor, weight: Tensor) -> Tensor:
    """Each pixel of a map as a patch of 4x4 pixels: (M, B, h, w, C) to (M, B, 4h, 4w, 3); the weight is (M, 48, C)."""
    patches = torch.bmm(h.flatten(1, 3), weight.transpose(1, 2))
    tiles = patches.view(*h.shape[:4], PATCH, PATCH, -1).transpose(3, 4)
    return tiles.flatten(4, 5).flatten(2, 3)


def _apply(function: type[torch.autograd.Function], *inputs: Any) -> Tensor:
    output: Tensor = function.apply(*inputs)
    return output


class _Down(torch.autograd.Function):
    """The layer of `down`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, weight: Tensor, active: bool) -> Tensor:
        patches = _seen(x, KERNEL, STRIDE, active)
        ctx.active = active
        ctx.save_for_backward(x, patches, weight)
        shape = (*x.shape[:2], x.shape[2] // STRIDE, x.shape[3] // STRIDE, -1)
        return torch.baddbmm(bias, patches, weight).view(shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, patches, weight = ctx.saved_tensors
        rows = gradients[0].flatten(1, 3)
        x_gradient = None
        if ctx.needs_input_grad[0]:
            x_gradient = _spread(gradients[0], None, weight, active=False, through=x if ctx.active else None)
        return x_gradient, _sum(rows), torch.bmm(patches.transpose(1, 2), rows), None


class _Up(torch.autograd.Function):
    """The layer of `up`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, weight: Tensor, active: bool) -> Tensor:
        ctx.active = active
        ctx.save_for_backward(x, weight)
        return _spread(x, bias, weight, active=active, through=None)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        patches = _seen(gradients[0], KERNEL, STRIDE, active=False)
        x_gradient = torch.bmm(patches, weight).view_as(x)
        if ctx.active:
            flat = x_gradient.flatten(0, 1), x.flatten(0, 1)
            x_gradient, x = _call(_through_silu, *flat).view_as(x), functional.silu(x)
        weight_gradient = torch.bmm(patches.transpose(1, 2), x.flatten(1, 3))
        return x_gradient, _sum(gradients[0].flatten(1, 3)), weight_gradient, None


class _SquaredErrors(torch.autograd.Function):
    """The function `squared_errors` and its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, output: Tensor) -> Tensor:
        ctx.save_for_backward(x, output)
        return _call(_squared_errors, x.flatten(0, 1), output.flatten(0, 1)).view(x.shape[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        x, output = ctx.saved_tensors
        flat = (part.flatten(0, 1) for part in (x, output, gradients[0]))
        return None, _call(_error_gradient, *flat).view_as(output)


def _squared_errors(x: Tensor, output: Tensor) -> Tensor:
    return (x - (output.float() + GREY).clamp(0, 1)).square().flatten(1).sum(1)


def _error_gradient(x: Tensor, output: Tensor, gradient: Tensor) -> Tensor:
    errors = x - (output.float() + GREY).clamp(0, 1)
    return (-2 * errors * gradient[:, None, None, None]).to(output.dtype)


def _through_silu(gradient: Tensor, x: Tensor) -> Tensor:
    """The gradient of x from that of silu(x)."""
    wide = x.float()
    share = torch.sigmoid(wide)
    return (gradient.float() * share * (1 + wide * (1 - share))).to(x.dtype)


def _seen(images: Tensor, size: int, stride: int, active: bool) -> Tensor:
    """Patches of `size` pixels of (M, B, H, W, C) with a border of zeros, as rows (M, windows, size² C)."""
    return _call(_windows, images.flatten(0, 1), size, stride, active).view(len(images), -1, size**2 * images.shape[4])


def _windows(images: Tensor, size: int, stride: int, active: bool) -> Tensor:
    """(N, h, w, size, size, C) from (N, H, W, C)."""
    x = functional.silu(images) if active else images
    padded = functional.pad(x, (0, 0, PADDING, PADDING, PADDING, PADDING))
    return padded.unfold(1, size, stride).unfold(2, size, stride).permute(0, 1, 2, 4, 5, 3).contiguous()


def _spread(small: Tensor, bias: Tensor | None, weight: Tensor, *, active: bool, through: Tensor | None) -> Tensor:
    """The transposed convolution, by cells of 2x2 pixels that begin one pixel outside: each has four pixels' part.

    With `through`, (M, B, H, W, C), times the derivative of SiLU there.
    """
    n_models, n_images, side = small.shape[:3]
    cell_weight = _call(_cell_weight, weight)
    rows = _seen(small, 2, 1, active)
    if bias is None:
        cells = torch.bmm(rows, cell_weight)
    else:
        missing = cell_weight.shape[2] - 4 * bias.shape[2]
        cells = torch.baddbmm(functional.pad(bias.repeat(1, 1, 4), (0, missing)), rows, cell_weight)
    cells = cells.view(n_models * n_images, side + 1, side + 1, -1)
    at = None if through is None else through.flatten(0, 1)
    n_channels = weight.shape[1] // KERNEL**2
    pixels = _call(_pixels, cells, at, n_channels)
    return pixels.view(n_models, n_images, *pixels.shape[1:])


def _cell_weight(weight: Tensor) -> Tensor:
    """(M, 4 K, 4 C) from (M, 16 C, K), with zeros up to a multiple of columns."""
    # A cell's upper left neighbour reaches it with the last rows and columns of its kernel.
    taps = weight.unflatten(1, (2, 2, 2, 2, -1)).flip(1, 3)
    low = taps.permute(0, 1, 3, 6, 2, 4, 5).flatten(4).flatten(1, 3)
    return functional.pad(low, (0, -low.shape[2] % ALIGNED)).contiguous()


def _pixels(cells: Tensor, at: Tensor | None, n_channels: int) -> Tensor:
    """(N, H, W, C) from cells (N, h + 1, w + 1, 4 C and more), without the border."""
    split = cells[..., : 4 * n_channels].unflatten(3, (2, 2, n_channels))
    whole = split.permute(0, 1, 3, 2, 4, 5).flatten(3, 4).flatten(1, 2)
    inner = whole[:, PADDING:-PADDING, PADDING:-PADDING]
    return inner.contiguous() if at is None else _through_silu(inner, at)


def _sum(rows: Tensor) -> Tensor:
    return rows.sum(1, keepdim=True, dtype=torch.float32).to(rows.dtype)


def _call(function: Callable[..., Tensor], *arguments: Any) -> Tensor:
    """On a GPU one or two kernels, made once for all numbers of models and images, the first dimensions."""
    tensors = [argument.detach() if isinstance(argument, Tensor) else argument for argument in arguments]
    if not tensors[0].is_cuda:
        return function(*tensors)
    for tensor in tensors:
        if isinstance(tensor, Tensor):
            torch._dynamo.mark_dynamic(tensor, 0)
    return _compiled(function)(*tensors)


@cache
def _compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    torch._dynamo.config.recompile_limit = 64
    compiled: Callable[..., Tensor] = torch.compile(function, dynamic=False)
    return compiled
