"""The order in which images are trained on."""

import torch
from torch import Tensor

from model.device import seeded_generator


class BatchOrder:
    """An endless stream: one permutation of the images after another, cut into full batches.

    A batch may straddle two permutations. Each permutation follows from (seed, its number) alone, so the step tells
    the place in the stream and nothing needs to be saved to go on from there.
    """

    def __init__(self, n_images: int, batch_size: int, seed: int, device: torch.device) -> None:
        self._n_images = n_images
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._number = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def indices(self, step: int) -> Tensor:
        """Which images make up batch `step`, shape (B,)."""
        number, offset = divmod(step * self._batch_size, self._n_images)
        part = self._permutation(number)[offset : offset + self._batch_size]
        while len(part) < self._batch_size:
            number += 1
            part = torch.cat([part, self._permutation(number)[: self._batch_size - len(part)]])
        return part

    def between(self, first: int, last: int) -> Tensor:
        """The images of batches `first`, ..., `last` - 1, shape (last - first, B)."""
        begin, end = first * self._batch_size, last * self._batch_size
        numbers = range(begin // self._n_images, -(-end // self._n_images))
        whole = torch.cat([self._permutation(number) for number in numbers])
        offset = numbers.start * self._n_images
        return whole[begin - offset : end - offset].view(last - first, self._batch_size)

    def _permutation(self, number: int) -> Tensor:
        if number != self._number:
            generator = seeded_generator(self._seed, 2, number)
            self._number = number
            order = torch.randperm(self._n_images, generator=generator)
            # From pinned memory, so that the GPU has it without anyone waiting.
            on_gpu = self._device.type == "cuda"
            self._order = order.pin_memory().to(self._device, non_blocking=True) if on_gpu else order.to(self._device)
        return self._order
