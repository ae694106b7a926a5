"""Many tensors in one, so that what is done to each of them is done once.

N numbers in all; C channels, H W pixels.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

# Numbers of 4 bytes in a cache line, which is what vector instructions and GPU kernels like to begin at.
_LINE = 16


def aligned(tensors: Iterable[Tensor]) -> list[Tensor]:
    """In an order in which, packed, all but small ones begin at a cache line: those that fill none come last."""
    return sorted(tensors, key=lambda tensor: tensor.numel() % _LINE > 0)


def flat(tensor: Tensor) -> Tensor:
    """Its numbers in the order in which a channels_last tensor keeps them, shape (N,)."""
    return (tensor.movedim(1, -1) if tensor.dim() == 4 else tensor).reshape(-1)


def pack(tensors: list[Tensor], device: torch.device | str = "cpu") -> Tensor:
    """Move float32 tensors on one device into a new one of shape (N,), and make them views of it."""
    # There may be none.
    packed = torch.cat([torch.empty(0, device=device), *(flat(tensor.detach()) for tensor in tensors)])
    for tensor, part in zip(tensors, packed.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.data = _unflat(part, tensor.shape)
    return packed


def _unflat(part: Tensor, shape: torch.Size) -> Tensor:
    if len(shape) != 4:
        return part.view(shape)
    n, n_channels, height, width = shape
    return part.view(n, height, width, n_channels).movedim(-1, 1)
