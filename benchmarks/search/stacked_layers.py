"""The VAE of many models at once: its layers with a leading dimension of models, as batched matrix products.

M models, B batch, H W pixels, h w half as many, C K channels, Z latent of the largest model.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from model.network.convolution_stack import ConvolutionStack
from model.network.feature_maps import IMAGE_SIZE
from model.network.patch_products import KERNEL, PADDING, STRIDE
from model.network.strided_convolution import DownConv, UpConv
from model.network.vae import LOG_VARIANCE_BOUND, ConvVAE

# Sides of a product are multiples of this, for which the tensor cores' fast kernels are.
ALIGNED = 16
_GREY = 0.5


def forward(
    matrices: Sequence[Tensor], x: Tensor, noise: Tensor, used: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """`ConvVAE.forward` of images (M, B, 32, 32, 3) and noise (M, B, Z): squared errors, mean, log-variance."""
    remaining = iter(matrices)
    n_layers = (len(matrices) - 6) // 4
    h = (x - _GREY).to(dtype)
    for layer in range(n_layers):
        h = _apply(_Down, h, next(remaining), next(remaining), layer > 0)
    features = functional.silu(h).permute(0, 1, 4, 2, 3).flatten(2)
    mean, raw = (torch.baddbmm(next(remaining), features, next(remaining)).float() for _ in range(2))
    log_variance = LOG_VARIANCE_BOUND * torch.tanh(raw / LOG_VARIANCE_BOUND)
    z = mean + noise * used * torch.exp(0.5 * log_variance)
    h = torch.baddbmm(next(remaining), z.to(dtype), next(remaining))
    side = IMAGE_SIZE // 2**n_layers
    h = h.unflatten(2, (-1, side, side)).permute(0, 1, 3, 4, 2)
    for layer in range(n_layers):
        h = _apply(_Up, h, next(remaining), next(remaining), layer > 0)
    return _apply(_SquaredErrors, x, h), mean, log_variance


def _apply(function: type[torch.autograd.Function], *inputs: Any) -> Tensor:
    output: Tensor = function.apply(*inputs)
    return output


class _Down(torch.autograd.Function):
    """SiLU where `active`, then the convolution: (M, B, H, W, C) to (M, B, h, w, K).

    The bias is (M, 1, K), the weight (M, 16 C, K).
    """

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
    """SiLU where `active`, then the transposed convolution: (M, B, h, w, K) to (M, B, H, W, C).

    The bias is (M, 1, C), the weight (M, 16 C, K).
    """

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
    """Squared error of images (M, B, 32, 32, 3) and clamped outputs, per image, (M, B). Gradients pass the clamp."""

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
    return (x - (output.float() + _GREY).clamp(0, 1)).square().flatten(1).sum(1)


def _error_gradient(x: Tensor, output: Tensor, gradient: Tensor) -> Tensor:
    errors = x - (output.float() + _GREY).clamp(0, 1)
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


def matrices_of(model: ConvVAE, latent_dim: int) -> list[Tensor]:
    """Bias and weight of one layer after another as `forward` takes them, the latent dimensions padded by zeros."""
    missing = latent_dim - model.latent_dim
    parts: list[Tensor] = []
    down, up = model.encoder.trunk, model.decoder.trunk
    assert isinstance(down, ConvolutionStack) and isinstance(up, ConvolutionStack)
    for layer in down:
        if isinstance(layer, DownConv):
            parts += [_row(layer.bias), layer.weight.permute(2, 3, 1, 0).flatten(0, 2)]
    for linear in (model.encoder.mean, model.encoder.log_variance):
        parts += [_row(functional.pad(linear.bias, (0, missing))), functional.pad(linear.weight.t(), (0, missing))]
    project = model.decoder.project
    parts += [_row(project.bias), functional.pad(project.weight.t(), (0, 0, 0, missing))]
    for layer in up:
        if isinstance(layer, UpConv):
            parts += [_row(layer.bias), layer.weight.permute(2, 3, 1, 0).flatten(0, 2)]
    return [part.detach().contiguous() for part in parts]


def _row(bias: Tensor | None) -> Tensor:
    assert bias is not None
    return bias.unsqueeze(0)
