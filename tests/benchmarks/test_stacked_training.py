"""Models that are trained side by side are the same as models that `model.train` trains one by one."""

from dataclasses import replace
from typing import Any

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

SHARED = TrainConfig(batch_size=16, epochs=2, schedule="cosine")
NORM_FREE = {"architecture": "norm_free", "channels": (16, 16, 32, 32), "horizontal_flip": False}


def two_models(**settings: Any) -> list[TrainConfig]:
    shared = replace(SHARED, **{"channels": (), **settings})
    return [
        replace(shared, beta=0.5, latent_dim=12, learning_rate=2e-3, seed=3),
        replace(shared, beta=2.0, latent_dim=5, learning_rate=4e-3, seed=8),
    ]


@pytest.fixture
def same_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each model draws from the generator that `model.train` uses, in the same order."""
    generators: dict[int, torch.Generator] = {}

    def generator_of(config: TrainConfig) -> torch.Generator:
        return generators.setdefault(config.seed, seeded_generator(config.seed, 1))

    def mirrored(stack: Stack) -> Tensor:
        rows = []
        for config in stack.configs:
            # The shifts of rows and columns, by at most no pixel.
            for _ in range(2):
                torch.randint(0, 1, (16, 1), generator=generator_of(config))
            rows.append(torch.rand(16, 1, 1, 1, generator=generator_of(config)).flatten() < 0.5)
        return torch.stack(rows)

    def noise(stack: Stack) -> Tensor:
        drawn = torch.zeros(len(stack.configs), 16, stack.latent_dim)
        for row, config in zip(drawn, stack.configs, strict=True):
            row[:, : config.latent_dim] = torch.randn(16, config.latent_dim, generator=generator_of(config))
        return drawn

    monkeypatch.setattr(stacked, "draw_mirrored", mirrored)
    monkeypatch.setattr(stacked, "draw_noise", noise)


@pytest.mark.usefixtures("same_random_numbers")
@pytest.mark.parametrize(
    "settings",
    [
        NORM_FREE,
        {"pca_start": False, "horizontal_flip": False},
        {"pca_start": True, "horizontal_flip": True, "skip_learning_rate": 0.25},
        {"channels": (16, 48)},
    ],
    ids=["norm_free", "linear_skip", "pPCA first and flips", "two stages"],
)
def test_each_model_is_trained_as_alone(data: ImageData, runtime: Runtime, settings: dict[str, Any]) -> None:
    configs, images = two_models(**settings), (data.train.images, data.validation.images)
    together = list(train_stack(configs, *images, runtime))
    for number, config in enumerate(configs):
        alone = list(train(TrainState(config, runtime), data))
        assert len(alone) == len(together) == 2
        for metrics, scores in zip(alone, together, strict=True):
            score = scores[number]
            assert score is not None
            assert score.val_bpd == pytest.approx(metrics.val_bpd, abs=2e-4)
            assert score.val_rate_nats == pytest.approx(metrics.val_rate_nats, rel=2e-3)
            assert score.val_mse == pytest.approx(metrics.val_mse, rel=2e-3)


def test_a_model_that_diverges_ends_alone(data: ImageData, runtime: Runtime) -> None:
    first, second = two_models(**NORM_FREE)
    diverging = replace(second, learning_rate=1e30)
    *_, last = train_stack([first, diverging], data.train.images, data.validation.images, runtime)
    assert last[0] is not None
    assert last[1] is None
