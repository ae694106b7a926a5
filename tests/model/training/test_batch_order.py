"""Order of the training images."""

import pytest
import torch

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
