"""A small training run of three epochs."""

from pathlib import Path

from hpo.runs.full_length_run import RunFinished, TrainingRun, execute
from hpo.storage.paths import RunPaths
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime

SMALL = TrainConfig(latent_dim=4, batch_size=32, epochs=3, channels=(2, 2, 2, 2))


def small_run(data: ImageData, runtime: Runtime) -> TrainingRun:
    """Return a run of SMALL that saves a frame at every epoch and does not read the test split."""
    return TrainingRun(
        config=SMALL,
        data=data,
        data_root=Path("images"),
        runtime=runtime,
        origin=None,
        importance_samples=None,
        reconstruction_interval=1,
        fps=2.0,
    )


def finish(run: TrainingRun, final: RunPaths) -> RunFinished:
    """Train a run to its end and return the result."""
    *_, last = execute(run, final)
    assert isinstance(last, RunFinished)
    return last
