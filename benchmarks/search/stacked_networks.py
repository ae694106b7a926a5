"""The networks `norm_free` and `linear_skip` of many models at once, computed by the layers of `stacked_layers`.

M models, B batch, H W pixels, C channels, N features, Z latent of the largest model.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.search.stacked_layers import down, embed, project_patches, squared_errors, up
from model.config import TrainConfig
from model.network.convolution_stack import ConvolutionStack
from model.network.feature_maps import N_BESIDE, map_shapes
from model.network.linear_skip import PIXEL_GAIN, SHARE, SkipDown, SkipUp
from model.network.strided_convolution import DownConv, UpConv
from model.network.vae import GREY, LOG_VARIANCE_BOUND, ConvVAE


class StackedNetwork:
    """Forward pass of M models of one architecture and shape, from their weights as matrices."""

    def __init__(self, config: TrainConfig) -> None:
        self.skips = config.architecture == "linear_skip"
        self.n_convolutions = len(config.channels)
        self.shapes = map_shapes(config.channels, config.architecture)

    def forward(
        self, matrices: Sequence[Tensor], x: Tensor, noise: Tensor, used: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`ConvVAE.forward` of images (M, B, 32, 32, 3) and noise (M, B, Z): squared errors, mean, log-variance.

        `matrices` are those of `matrices_of`; `used` is 1 for a model's own latent dimensions, 0 for the others.
        """
        remaining = iter(matrices)
        maps = self._encode(remaining, (x - GREY).to(dtype))
        features = [each.permute(0, 1, 4, 2, 3).flatten(2) for each in maps]
        mean, raw = (
            torch.baddbmm(next(remaining), seen, next(remaining)).float()
            for seen in (torch.cat(features, 2), features[-1])
        )
        log_variance = LOG_VARIANCE_BOUND * torch.tanh(raw / LOG_VARIANCE_BOUND)
        z = mean + noise * used * torch.exp(0.5 * log_variance)
        projected = torch.baddbmm(next(remaining), z.to(dtype), next(remaining))
        parts = projected.split([math.prod(shape) for shape in self.shapes], 2)
        written = [
            part.unflatten(2, shape).permute(0, 1, 3, 4, 2) for part, shape in zip(parts, self.shapes, strict=True)
        ]
        return squared_errors(x, self._decode(remaining, written)), mean, log_variance

    def _encode(self, matrices: Iterator[Tensor], x: Tensor) -> list[Tensor]:
        """Maps (M, B, H, W, C) that the code is read from, of images around zero."""
        if not self.skips:
            return [functional.silu(_downwards(matrices, x, self.n_convolutions))]
        scaled = PIXEL_GAIN * x
        h = embed(scaled, next(matrices)) + SHARE * functional.silu(_downwards(matrices, scaled, N_BESIDE))
        n_above = self.n_convolutions - N_BESIDE
        return [h, SHARE * functional.silu(_downwards(matrices, h, n_above))] if n_above else [h]

    def _decode(self, matrices: Iterator[Tensor], maps: list[Tensor]) -> Tensor:
        """Images around zero, (M, B, 32, 32, 3), of maps that the code was written to."""
        if not self.skips:
            return _upwards(matrices, maps[0], self.n_convolutions)
        h, *smaller = maps
        for each in smaller:
            h = h + SHARE * functional.silu(_upwards(matrices, each, self.n_convolutions - N_BESIDE))
        return project_patches(h, next(matrices)) + SHARE * _upwards(matrices, h, N_BESIDE)


def _downwards(matrices: Iterator[Tensor], h: Tensor, n_layers: int) -> Tensor:
    """Convolutions with SiLU between them."""
    for layer in range(n_layers):
        h = down(h, next(matrices), next(matrices), layer > 0)
    return h


def _upwards(matrices: Iterator[Tensor], h: Tensor, n_layers: int) -> Tensor:
    """Transposed convolutions with SiLU between them."""
    for layer in range(n_layers):
        h = up(h, next(matrices), next(matrices), layer > 0)
    return h


def matrices_of(model: ConvVAE, latent_dim: int) -> list[Tensor]:
    """Bias and weight of one layer after another as `StackedNetwork` takes them, latent dimensions padded by zeros."""
    missing = latent_dim - model.latent_dim
    trunk, to_image = model.encoder.trunk, model.decoder.trunk
    parts: list[Tensor] = []
    if isinstance(trunk, SkipDown):
        parts += [_patch_weight(trunk.embedding.weight), *_of_stack(trunk.beside), *_of_stack(trunk.above)]
    else:
        parts += _of_stack(trunk)
    for linear in (model.encoder.mean, model.encoder.log_variance):
        parts += [_row(functional.pad(linear.bias, (0, missing))), functional.pad(linear.weight.t(), (0, missing))]
    project = model.decoder.project
    parts += [_row(project.bias), functional.pad(project.weight.t(), (0, 0, 0, missing))]
    if isinstance(to_image, SkipUp):
        parts += [*_of_stack(to_image.above), _patch_weight(to_image.projection.weight), *_of_stack(to_image.beside)]
    else:
        parts += _of_stack(to_image)
    return [part.detach().contiguous() for part in parts]


def _of_stack(stack: ConvolutionStack) -> Iterator[Tensor]:
    for layer in stack:
        if isinstance(layer, DownConv | UpConv):
            yield from (_row(layer.bias), layer.weight.permute(2, 3, 1, 0).flatten(0, 2))


def _patch_weight(weight: Tensor) -> Tensor:
    """(4 * 4 * 3, C) from (C, 3, 4, 4)."""
    return weight.permute(2, 3, 1, 0).flatten(0, 2)


def _row(bias: Tensor | None) -> Tensor:
    assert bias is not None
    return bias.unsqueeze(0)
