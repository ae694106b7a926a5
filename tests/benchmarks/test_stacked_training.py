"""Models that are trained side by side are the same as models that `model.train` trains one by one."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.search import stacked
from benchmarks.search.stacked import Stack, train_stack
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime, seeded_generator
from model.training.train_state import TrainState
from model.training.training_loop import train

SHARED = TrainConfig(
    batch_size=16,
    epochs=2,
    schedule="cosine",
    architecture="norm_free",
    channels=(16, 16, 32, 32),
    horizontal_flip=False,
)
CONFIGS = [
    replace(SHARED, beta=0.5, latent_dim=12, learning_rate=2e-3, seed=3),
    replace(SHARED, beta=2.0, latent_dim=5, learning_rate=4e-3, seed=8),
]


@pytest.fixture
def same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each model draws its noise from the generator that `model.train` uses."""
    generators = [seeded_generator(config.seed, 1) for config in CONFIGS]

    def draw(stack: Stack) -> Tensor:
        noise = torch.zeros(len(CONFIGS), 16, stack.latent_dim)
        for row, config, generator in zip(noise, CONFIGS, generators, strict=True):
            row[:, : config.latent_dim] = torch.randn(16, config.latent_dim, generator=generator)
        return noise

    monkeypatch.setattr(stacked, "draw_noise", draw)


@pytest.mark.usefixtures("same_noise")
def test_each_model_is_trained_as_alone(data: ImageData, runtime: Runtime) -> None:
    images = data.train.images, data.validation.images
    together = list(train_stack(CONFIGS, *images, runtime))
    for number, config in enumerate(CONFIGS):
        alone = list(train(TrainState(config, runtime), data))
        assert len(alone) == len(together) == 2
        for metrics, scores in zip(alone, together, strict=True):
            score = scores[number]
            assert score is not None
            assert score.val_bpd == pytest.approx(metrics.val_bpd, abs=2e-4)
            assert score.val_rate_nats == pytest.approx(metrics.val_rate_nats, rel=2e-3)
            assert score.val_mse == pytest.approx(metrics.val_mse, rel=2e-3)


def test_a_model_that_diverges_ends_alone(data: ImageData, runtime: Runtime) -> None:
    diverging = replace(CONFIGS[1], learning_rate=1e30)
    *_, last = train_stack([CONFIGS[0], diverging], data.train.images, data.validation.images, runtime)
    assert last[0] is not None
    assert last[1] is None
