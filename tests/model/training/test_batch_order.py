"""Order of the training images."""

import pytest
import torch

from model.device import seeded_generator
from model.training import batch_order
from model.training.batch_order import BatchOrder

CPU = torch.device("cpu")


def test_every_permutation_has_every_image_once() -> None:
    order = BatchOrder(n_images=10, batch_size=4, seed=0, device=CPU)
    indices = torch.cat([order.indices(step) for step in range(5)]).tolist()
    assert sorted(indices[:10]) == sorted(indices[10:]) == list(range(10))
    assert indices[:10] != indices[10:]


def test_a_batch_depends_on_its_step_alone() -> None:
    first, second = (BatchOrder(10, 4, seed=3, device=CPU) for _ in range(2))
    in_order = [first.indices(step).tolist() for step in range(6)]
    assert [second.indices(step).tolist() for step in (5, 2, 0)] == [in_order[5], in_order[2], in_order[0]]
    for step in range(6):
        assert BatchOrder(10, 4, seed=3, device=CPU).indices(step).tolist() == in_order[step]


# From the first permutation on, within a later one, and up to the end of one.
@pytest.mark.parametrize(("first", "last"), [(1, 9), (3, 4), (3, 9), (6, 10)])
def test_batches_between_two_steps_are_those_of_each_step(first: int, last: int) -> None:
    order = BatchOrder(10, 4, 1, CPU)
    each = torch.stack([order.indices(step) for step in range(first, last)])
    assert torch.equal(BatchOrder(10, 4, 1, CPU).between(first, last), each)


@pytest.mark.parametrize("seed", [0, 5])
def test_the_order_follows_the_seed(seed: int) -> None:
    """A run that an earlier version saved then resumes with the same batches: permutation k is (seed, 2, k)."""
    order = BatchOrder(n_images=10, batch_size=10, seed=seed, device=CPU)
    for number in range(3):
        expected = torch.randperm(10, generator=seeded_generator(seed, 2, number))
        assert torch.equal(order.indices(number), expected)


def test_each_permutation_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def draw(seed: int, stream: int, number: int) -> torch.Generator:
        drawn.append(number)
        return seeded_generator(seed, stream, number)

    monkeypatch.setattr(batch_order, "seeded_generator", draw)
    order = BatchOrder(n_images=10, batch_size=2, seed=0, device=CPU)
    for step in range(15):
        order.indices(step)
    assert drawn == [0, 1, 2]
    order.between(25, 35)
    assert drawn == [0, 1, 2, 5, 6]


def test_indices_are_on_the_device_of_the_images() -> None:
    """The meta device stands for any device other than the CPU."""
    assert BatchOrder(10, 4, 0, torch.device("meta")).indices(1).device.type == "meta"
