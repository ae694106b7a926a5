"""State of a training: its position and its noise."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from model.config import TrainConfig
from model.device import Runtime, seeded_generator
from model.training import train_state
from model.training.train_state import TrainState
from tests.model.conftest import SMALL


@pytest.mark.parametrize(("step", "reports"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)])
def test_reports_are_done_once_their_images_were_seen(step: int, reports: int, runtime: Runtime) -> None:
    # 100 images in batches of 32: half of them after 2 updates, all after 4.
    state = TrainState(replace(SMALL, epochs=1, report_every=0.5), runtime)
    state.step = step
    assert state.reports_done(n_train=100) == reports


@pytest.mark.parametrize("seed", [0, 5])
def test_noise_follows_the_seed(seed: int, runtime: Runtime) -> None:
    """A run that an earlier version saved or reported then repeats: its noise is stream 1 of its seed."""
    noise = TrainState(replace(SMALL, seed=seed), runtime).noise
    assert torch.equal(torch.randn(3, generator=noise), torch.randn(3, generator=seeded_generator(seed, 1)))


def test_a_state_starts_at_step_0_with_fused_adam_on_a_cpu(runtime: Runtime) -> None:
    state = TrainState(SMALL, runtime)
    assert (state.step, state.skipped_updates, state.elapsed_s) == (0, 0, 0.0)
    assert state.optimizer.defaults["fused"] is True
    assert {group["lr"] for group in state.optimizer.param_groups} == {SMALL.learning_rate}


def test_everything_is_on_the_device_of_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """The meta device, which has no generators, stands for any device other than the CPU."""
    meta, devices = torch.device("meta"), []

    def generator_for(*seeds: int, device: torch.device) -> torch.Generator:
        devices.append(device)
        return seeded_generator(*seeds)

    monkeypatch.setattr(train_state, "seeded_generator", generator_for)
    state = TrainState(SMALL, Runtime(meta, "float32"))
    tensors = [state.weights, state.gradients, state.statistics, *state.model.parameters(), *state.model.buffers()]
    assert {*devices, *(tensor.device for tensor in tensors)} == {meta}


def test_the_model_of_a_compiled_runtime_is_compiled(monkeypatch: pytest.MonkeyPatch, runtime: Runtime) -> None:
    compiled: list[object] = []
    monkeypatch.setattr(train_state, "compile_model", compiled.append)
    TrainState(SMALL, runtime)
    assert compiled == []
    state = TrainState(SMALL, replace(runtime, compiled=True))
    assert compiled == [state.model]


SKIP = TrainConfig(latent_dim=4, channels=(4, 48, 8))


@pytest.mark.parametrize(
    ("change", "is_slower"),
    [
        ({}, True),
        ({"skip_learning_rate": 1.0}, False),
        ({"pca_start": False}, False),
        ({"linear_path": True}, False),
        ({"architecture": "norm_free", "channels": (2, 2)}, False),
    ],
)
def test_the_layers_that_are_set_to_ppca_learn_more_slowly(
    change: dict[str, Any], is_slower: bool, runtime: Runtime
) -> None:
    state = TrainState(replace(SKIP, **{"skip_learning_rate": 0.1, **change}), runtime)
    before = {name: parameter.detach().clone() for name, parameter in state.model.named_parameters()}
    state.gradients.fill_(1.0)
    state.set_learning_rate(0.01)
    state.optimizer.step()
    slow = {"encoder.trunk.embedding", "encoder.mean", "encoder.log_variance", "decoder.project"}
    slow |= {"decoder.trunk.projection"}
    for name, parameter in state.model.named_parameters():
        if parameter.requires_grad:
            expected = 0.001 if is_slower and name in {f"{layer}.weight" for layer in slow} else 0.01
            # Adam's first step is the learning rate.
            torch.testing.assert_close(before[name] - parameter.detach(), torch.full_like(parameter, expected))
