"""Packed tensors: many tensors in one."""

import torch
from torch import nn

from model.network.vae import ConvVAE
from model.training.packed_tensors import flattened, pack, sorted_for_alignment


def test_packed_tensors_keep_their_values_shapes_and_memory_format() -> None:
    model = ConvVAE(5, (2, 3, 4, 5))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    packed = pack(list(model.parameters()))
    assert packed.shape == (sum(tensor.numel() for tensor in before),)
    for parameter, value in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, value) and parameter.stride() == value.stride()


def test_a_change_of_the_packed_tensor_changes_its_parts_and_vice_versa() -> None:
    tensors = [torch.ones(2, 3), torch.ones(2, 3, 4, 4), torch.ones(())]
    packed = pack(tensors)
    packed.mul_(3)
    assert all((tensor == 3).all() for tensor in tensors)
    tensors[1].zero_()
    assert packed.sum() == 3 * 7


def test_a_gradient_of_any_memory_format_is_flattened_in_the_order_of_its_weight() -> None:
    weight = nn.Parameter(torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last))
    gradient = weight.detach().clone(memory_format=torch.contiguous_format)
    assert torch.equal(pack([weight]), flattened(gradient))


def test_large_weights_start_at_a_cache_line_at_any_latent_dimension() -> None:
    parameters = sorted_for_alignment(ConvVAE(81).parameters())
    pack(parameters)
    large = [parameter for parameter in parameters if parameter.numel() > 1000]
    assert len(large) > 8
    assert all(parameter.storage_offset() % 16 == 0 for parameter in large)


def test_a_model_without_statistics_is_packed_on_its_own_device() -> None:
    """The meta device stands for any device other than the CPU."""
    assert pack([], torch.device("meta")).device.type == "meta"
    assert pack([torch.ones(3, device="meta")], "meta").shape == (3,)
