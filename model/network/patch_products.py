"""Strided convolutions and their gradients as matrix products of patches.

B batch; C channels and H W pixels of the larger image; K channels and h w pixels of the smaller one.
"""

import itertools

import torch
from torch import Tensor
from torch.nn import functional

# Of every strided convolution of the model.
KERNEL, STRIDE, PADDING = 4, 2, 1
# In an image of 2x2 each pixel is a corner: of the 16 pixels under its kernel, 9 lie in the larger image, the rest in
# its padding.
_CORNERS_SIDE = 2
_CORNERS = tuple(itertools.product(range(2), range(2)))


def convolve(images: Tensor, weight: Tensor) -> Tensor:
    """Compute the convolution of (B, C, H, W) to (B, K, h, w)."""
    if images.shape[2] // STRIDE != _CORNERS_SIDE:
        return functional.conv2d(images, weight, stride=STRIDE, padding=PADDING)
    small = torch.bmm(_corner_patches(images), _corner_kernels(weight).transpose(1, 2))
    return to_channels_last(small.unflatten(0, (2, 2)).permute(2, 3, 0, 1))


def convolve_transposed(small: Tensor, weight: Tensor) -> Tensor:
    """Compute the transposed convolution of (B, K, h, w) to (B, C, H, W)."""
    if small.shape[2] != _CORNERS_SIDE:
        return functional.conv_transpose2d(small, weight, stride=STRIDE, padding=PADDING)
    patches = torch.bmm(_corners(small), _corner_kernels(weight))
    images = patches.new_zeros(len(small), 4, 4, weight.shape[1])
    for patch, (row, column) in zip(patches.unflatten(2, (3, 3, -1)), _CORNERS, strict=True):
        images[:, row : row + 3, column : column + 3] += patch
    return images.permute(0, 3, 1, 2)


def gradient_of_weight(images: Tensor, small: Tensor) -> Tensor:
    """Compute the weight gradient, (K, C, 4, 4) in `precise_type`, from (B, C, H, W) and (B, K, h, w)."""
    precise = precise_type(small)
    if small.shape[2] != _CORNERS_SIDE:
        kernels = (small.permute(0, 2, 3, 1).flatten(0, 2).t() @ _patches(images)).to(precise)
        return kernels.view(-1, KERNEL, KERNEL, images.shape[1]).permute(0, 3, 1, 2)
    parts = torch.bmm(_corners(small).transpose(1, 2), _corner_patches(images))
    weight = parts.new_zeros(small.shape[1], KERNEL, KERNEL, images.shape[1], dtype=precise)
    for part, (row, column) in zip(parts.unflatten(2, (3, 3, -1)), _CORNERS, strict=True):
        weight[:, 1 - row : 4 - row, 1 - column : 4 - column] += part
    return weight.permute(0, 3, 1, 2)


def precise_type(x: Tensor) -> torch.dtype:
    """Return the type of weights and their gradients: float32, or float64 where the layer computes in it."""
    return torch.promote_types(x.dtype, torch.float32)


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


def to_channels_last(x: Tensor) -> Tensor:
    """Return the same images with the channels of a pixel side by side in memory."""
    return x.contiguous(memory_format=torch.channels_last)
