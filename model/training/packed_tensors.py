"""Packed tensors: many tensors stored in one, so that one call processes all of them.

N numbers in all tensors together; C channels, H W pixels.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

# Numbers of 4 bytes in a cache line: vector instructions and GPU kernels are fastest on data that starts at one.
_LINE = 16


def sorted_for_alignment(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Sort tensors so that, once packed, all but the small ones start at a cache line.

    Tensors whose size is not a multiple of a cache line come last; otherwise the order is kept.
    """
    return sorted(tensors, key=lambda tensor: tensor.numel() % _LINE > 0)


def flattened(tensor: Tensor) -> Tensor:
    """Return the tensor's numbers in the order in which a channels_last tensor stores them, shape (N,)."""
    return (tensor.movedim(1, -1) if tensor.dim() == 4 else tensor).reshape(-1)


def pack(tensors: list[Tensor], device: torch.device | str = "cpu") -> Tensor:
    """Copy float32 tensors on `device` into one new tensor of shape (N,), and make each of them a view of it."""
    # The empty tensor, since `tensors` may be empty.
    packed = torch.cat([torch.empty(0, device=device), *(flattened(tensor.detach()) for tensor in tensors)])
    for tensor, part in zip(tensors, packed.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.data = _unflattened(part, tensor.shape)
    return packed


def _unflattened(part: Tensor, shape: torch.Size) -> Tensor:
    if len(shape) != 4:
        return part.view(shape)
    n, n_channels, height, width = shape
    return part.view(n, height, width, n_channels).movedim(-1, 1)
