"""Going on where a run was interrupted."""

from pathlib import Path

from model.checkpoint import CheckpointError, load_state
from model.config import TrainConfig
from model.data import ImageData
from model.runtime import Runtime
from model.train import TrainState
from model.untrained import untrained_model


def take_up(
    checkpoint: Path, config: TrainConfig, runtime: Runtime, data: ImageData
) -> tuple[TrainState, list[dict[str, float]], str | None]:
    """A run's state, its metrics so far, and a word where a checkpoint had to be given up for a new beginning."""
    notice = None
    if checkpoint.exists():
        try:
            return *load_state(checkpoint, config, runtime), None
        except CheckpointError as error:
            notice = f"{error}; begins anew"
    return TrainState(config, runtime, untrained_model(config, data.train.images)), [], notice
