"""Complete state of a training, from which it resumes after an interruption."""

from dataclasses import asdict, dataclass
from pathlib import Path

from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from model.training.initialization import untrained_model
from model.training.tensor_file import CheckpointError, config_in, read_tensors, write_tensors
from model.training.train_state import TrainState


@dataclass(frozen=True)
class StartingPoint:
    """State to train from, the metrics reported so far, and a notice if a checkpoint could not be used."""

    state: TrainState
    history: list[dict[str, float]]
    notice: str | None = None


def save_state(path: Path, state: TrainState, history: list[dict[str, float]]) -> None:
    """Write everything that training needs to resume, and the metrics reported so far, atomically."""
    assert state.step or not state.started_from_pca, "it would start from pPCA a second time"
    contents = {
        "config": asdict(state.config),
        "made_on": _device_and_precision(state),
        "step": state.step,
        "skipped_updates": state.skipped_updates,
        "elapsed_s": state.elapsed_s,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "noise": state.noise.get_state(),
        "history": history,
    }
    write_tensors(path, contents)


def load_state(path: Path, config: TrainConfig, runtime: Runtime) -> StartingPoint:
    """Read a training state and the metrics reported until it was saved; a longer training goes on from a shorter one.

    Raises:
        CheckpointError: the file is damaged, or was written with another configuration or on another kind of device.
        OSError: the file cannot be read.
    """
    contents = read_tensors(path)
    state = TrainState(config, runtime)
    if not config.continues(config_in(path, contents)):
        raise CheckpointError(f"{path}: was written with other hyperparameters; remove it")
    if "made_on" not in contents:
        raise CheckpointError(f"{path}: holds only a model, not the state of a run")
    if contents["made_on"] != _device_and_precision(state):
        raise CheckpointError(f"{path}: was written on {contents['made_on']}, this is {_device_and_precision(state)}")
    try:
        state.model.load_state_dict(contents["model"])
        state.optimizer.load_state_dict(contents["optimizer"])
        state.noise.set_state(contents["noise"])
        state.step = contents["step"]
        state.skipped_updates = contents["skipped_updates"]
        state.elapsed_s = contents["elapsed_s"]
        return StartingPoint(state, list(contents["history"]))
    except Exception as error:
        raise CheckpointError(f"{path}: does not hold a state of this model ({error})") from error


def resume_or_start(checkpoint: Path, config: TrainConfig, runtime: Runtime, data: ImageData) -> StartingPoint:
    """Resume from a checkpoint; without a usable one, start with an untrained model.

    Raises: OSError: the checkpoint exists and cannot be read.
    """
    notice = None
    if checkpoint.exists():
        try:
            return load_state(checkpoint, config, runtime)
        except CheckpointError as error:
            notice = f"{error}; starting over"
    return StartingPoint(TrainState(config, runtime, untrained_model(config, data.train.images)), [], notice)


def _device_and_precision(state: TrainState) -> str:
    """Describe what a resumed run must share: random generators do not carry over to another kind of device."""
    return f"{state.runtime.device.type}, {state.runtime.precision}"
