"""Many tensors in one, so that what is done to each of them is done once.

N numbers in all; C channels, H W pixels.
"""

import torch
from torch import Tensor


def flat(tensor: Tensor) -> Tensor:
    """Its numbers in the order in which a channels_last tensor keeps them, shape (N,)."""
    return (tensor.movedim(1, -1) if tensor.dim() == 4 else tensor).reshape(-1)


def pack(tensors: list[Tensor]) -> Tensor:
    """Move tensors of one type and device into a new one of shape (N,), and make them views of it."""
    packed = torch.cat([flat(tensor.detach()) for tensor in tensors])
    for tensor, part in zip(tensors, packed.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.data = _unflat(part, tensor.shape)
    return packed


def _unflat(part: Tensor, shape: torch.Size) -> Tensor:
    if len(shape) != 4:
        return part.view(shape)
    n, n_channels, height, width = shape
    return part.view(n, height, width, n_channels).movedim(-1, 1)
