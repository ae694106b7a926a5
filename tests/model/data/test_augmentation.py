"""Augmentation: mirrored and shifted copies, by the generator alone."""

import torch
from torch import Tensor
from torch.nn import functional

from model.data.augmentation import draw_batch
from model.data.images import ImageData
from model.device import seeded_generator


def shifted(image: Tensor, down: int, right: int) -> Tensor:
    """Crop a window from an image (3, H, W) that is continued by its outermost pixels."""
    padded = functional.pad(image[None].float(), (4, 4, 4, 4), mode="replicate")[0].to(torch.uint8)
    return padded[:, 4 - down : 36 - down, 4 - right : 36 - right]


def test_without_augmentation_images_are_copied_and_no_number_is_drawn(few_images: ImageData) -> None:
    generator, indices = seeded_generator(0), torch.tensor([3, 1, 3])
    drawn = draw_batch(few_images.train.images, indices, False, 0, generator)
    assert torch.equal(drawn, few_images.train.images[indices])
    assert torch.equal(generator.get_state(), seeded_generator(0).get_state())


def test_half_of_the_images_are_mirrored(few_images: ImageData) -> None:
    images, indices = few_images.train.images, torch.arange(64).repeat(8)
    drawn = draw_batch(images, indices, True, 0, seeded_generator(0))
    originals = images[indices]
    mirrored = (drawn == originals.flip(3)).flatten(1).all(1)
    assert torch.equal(drawn[~mirrored], originals[~mirrored])
    assert 0.4 < mirrored.float().mean() < 0.6
    assert drawn.is_contiguous(memory_format=torch.channels_last)


def test_every_shift_occurs_and_its_edge_continues_the_outermost_pixels(few_images: ImageData) -> None:
    image = few_images.train.images[:1]
    drawn = draw_batch(image, torch.zeros(400, dtype=torch.int64), False, 1, seeded_generator(0))
    expected = {(down, right): shifted(image[0], down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)}
    counts = {shift: int((drawn == window).flatten(1).all(1).sum()) for shift, window in expected.items()}
    assert sum(counts.values()) == 400
    assert min(counts.values()) > 20


def test_flips_and_shifts_follow_the_generator(few_images: ImageData) -> None:
    first, again, other = (
        draw_batch(few_images.train.images, torch.arange(64), True, 2, seeded_generator(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
