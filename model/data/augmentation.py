"""Augmentation: training images mirrored and shifted at random, each time they are drawn.

B batch, C channels, H W pixels.
"""

import torch
from torch import Tensor


def draw_batch(
    images: Tensor, indices: Tensor, horizontal_flip: bool, max_shift: int, generator: torch.Generator
) -> Tensor:
    """Return copies of the images, mirrored and shifted.

    A shifted image is filled with its outermost pixels at the edge that it leaves.

    Args:
        images: all images (N, C, H, W) uint8, in channels_last memory.
        indices: which to draw, (B,).
        horizontal_flip: mirror each image with probability 1/2.
        max_shift: shift each image by -max_shift to max_shift pixels, drawn apart for rows and columns.
        generator: source of the random numbers, on the device of the images; not used if there is nothing to draw.

    Returns: (B, C, H, W) uint8, in channels_last memory.
    """
    # Several times as fast as images[indices].
    batch = images.permute(0, 2, 3, 1).index_select(0, indices).permute(0, 3, 1, 2)
    if not horizontal_flip and not max_shift:
        return batch
    height, width = images.shape[2:]
    rows, columns = (_grid(len(indices), size, max_shift, generator) for size in (height, width))
    if horizontal_flip:
        mirrored = torch.rand(len(indices), 1, 1, 1, generator=generator, device=generator.device) < 0.5
        batch = torch.where(mirrored, batch.flip(3), batch)
    if max_shift:
        each = torch.arange(len(batch), device=batch.device)[:, None, None]
        batch = batch.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return batch


def _grid(n_images: int, size: int, max_shift: int, generator: torch.Generator) -> Tensor:
    """Return for each image where its pixels of one axis are taken from, (B, size)."""
    device = generator.device
    shifts = torch.randint(-max_shift, max_shift + 1, (n_images, 1), generator=generator, device=device)
    return (torch.arange(size, device=device) + shifts).clamp(0, size - 1)
