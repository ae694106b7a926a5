"""Shared by the tests of the model: a small network that is trained once."""

from dataclasses import asdict, dataclass

import pytest

from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from model.training.train_state import TrainState
from model.training.training_loop import EpochMetrics, train

SMALL = TrainConfig(latent_dim=8, batch_size=32, epochs=3, channels=(8, 8, 16, 16), learning_rate=3e-3)
_CLOCKED = ("images_per_second", "elapsed_s")


@dataclass(frozen=True)
class SmallRun:
    """A finished run of SMALL in float32: its last state, which no test may train further, and all its metrics."""

    state: TrainState
    metrics: list[EpochMetrics]


def without_times(metrics: EpochMetrics) -> dict[str, float]:
    """Return the metrics that do not depend on the clock."""
    return {name: value for name, value in asdict(metrics).items() if name not in _CLOCKED}


@pytest.fixture(scope="session")
def small_run(data: ImageData, runtime: Runtime) -> SmallRun:
    """Train SMALL on the images of the fixture `data`."""
    state = TrainState(SMALL, runtime)
    return SmallRun(state, list(train(state, data)))
