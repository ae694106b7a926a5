"""Models trained side by side are those that `model.train` trains."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.search import stacked
from benchmarks.search.stacked import Stack, train_stack
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime, seeded_generator
from model.training.batch_order import BatchOrder
from model.training.train_state import TrainState
from model.training.training_loop import train

CONFIGS = [
    TrainConfig(beta=0.5, latent_dim=12, learning_rate=2e-3, batch_size=16, epochs=2, seed=3, schedule="cosine"),
    TrainConfig(beta=2.0, latent_dim=5, learning_rate=4e-3, batch_size=16, epochs=2, seed=8, schedule="cosine"),
]


@pytest.fixture
def same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each model's noise from the generator that `model.train` draws it from."""
    generators = [seeded_generator(config.seed, 1) for config in CONFIGS]

    def draw(stack: Stack) -> Tensor:
        noise = torch.zeros(len(CONFIGS), 16, stack.latent_dim)
        for row, config, generator in zip(noise, CONFIGS, generators, strict=True):
            row[:, : config.latent_dim] = torch.randn(16, config.latent_dim, generator=generator)
        return noise

    monkeypatch.setattr(stacked, "draw_noise", draw)


def test_each_model_is_trained_as_alone(same_noise: None, data: ImageData) -> None:
    runtime = Runtime(torch.device("cpu"), "float32")
    images = data.train.images, data.validation.images
    together = list(train_stack(CONFIGS, *images, runtime))
    for number, config in enumerate(CONFIGS):
        alone = list(train(TrainState(config, runtime), data))
        assert len(alone) == len(together) == 2
        for metrics, scores in zip(alone, together, strict=True):
            of_model = scores[number]
            assert of_model is not None
            assert of_model.val_bpd == pytest.approx(metrics.val_bpd, abs=2e-4)
            assert of_model.val_rate_nats == pytest.approx(metrics.val_rate_nats, rel=2e-3)
            assert of_model.val_mse == pytest.approx(metrics.val_mse, rel=2e-3)


def test_a_model_that_diverges_ends_alone(data: ImageData) -> None:
    wild = replace(CONFIGS[1], learning_rate=1e30)
    runtime = Runtime(torch.device("cpu"), "float32")
    *_, last = train_stack([CONFIGS[0], wild], data.train.images, data.validation.images, runtime)
    assert last[0] is not None
    assert last[1] is None


def test_batches_between_two_steps_are_those_of_each_step() -> None:
    stream = BatchOrder(10, 4, 1, torch.device("cpu"))
    each = torch.stack([stream.indices(step) for step in range(1, 9)])
    assert torch.equal(BatchOrder(10, 4, 1, torch.device("cpu")).between(1, 9), each)
