"""Going on where a run was interrupted."""

from pathlib import Path

from model.checkpoint import CheckpointError, load_state
from model.config import TrainConfig
from model.runtime import Runtime
from model.train import TrainState


def take_up(
    checkpoint: Path, config: TrainConfig, runtime: Runtime
) -> tuple[TrainState, list[dict[str, float]], str | None]:
    """A run's state, its metrics so far, and a word where a checkpoint had to be given up for a new beginning."""
    if not checkpoint.exists():
        return TrainState(config, runtime), [], None
    try:
        return *load_state(checkpoint, config, runtime), None
    except CheckpointError as error:
        return TrainState(config, runtime), [], f"{error}; begins anew"
