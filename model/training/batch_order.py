"""Order of the training images: which images form batch 0, 1, 2, ..."""

import torch
from torch import Tensor

from model.device import seeded_generator


class BatchOrder:
    """Endless sequence of batches: permutations of all images, one after another, cut into full batches.

    A batch may contain the end of one permutation and the start of the next. Permutation k follows from (seed, k)
    alone, so a resumed run needs only its step number to continue with the same batches.
    """

    def __init__(self, n_images: int, batch_size: int, seed: int, device: torch.device) -> None:
        self._n_images = n_images
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        # The last permutation that was drawn: none yet.
        self._number = -1
        self._permuted: Tensor

    def indices(self, step: int) -> Tensor:
        """Return the indices of the images in batch `step`, shape (B,)."""
        number, offset = divmod(step * self._batch_size, self._n_images)
        batch = self._permutation(number)[offset : offset + self._batch_size]
        while len(batch) < self._batch_size:
            number += 1
            batch = torch.cat([batch, self._permutation(number)[: self._batch_size - len(batch)]])
        return batch

    def between(self, first: int, last: int) -> Tensor:
        """Return the indices of the images in batches `first`, ..., `last` - 1, shape (last - first, B)."""
        start, stop = first * self._batch_size, last * self._batch_size
        numbers = range(start // self._n_images, -(-stop // self._n_images))
        permutations = torch.cat([self._permutation(number) for number in numbers])
        offset = numbers.start * self._n_images
        return permutations[start - offset : stop - offset].view(last - first, self._batch_size)

    def _permutation(self, number: int) -> Tensor:
        if number != self._number:
            generator = seeded_generator(self._seed, 2, number)
            self._number = number
            permuted = torch.randperm(self._n_images, generator=generator)
            if self._device.type == "cuda":
                # From pinned memory, so that neither the CPU nor the GPU waits for the copy.
                self._permuted = permuted.pin_memory().to(self._device, non_blocking=True)
            else:
                self._permuted = permuted.to(self._device)
        return self._permuted
