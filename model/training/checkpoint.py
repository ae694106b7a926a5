"""Files of a run: the complete training state to resume from, and the trained model to use.

Both are read with `weights_only=True`: tensors and plain values, no code.
"""

import io
import pickle
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from model.atomic_files import replacing
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from model.errors import UserError
from model.network.vae import ConvVAE
from model.training.initialization import untrained_model
from model.training.train_state import TrainState


class CheckpointError(UserError):
    """Error for a file that is not a complete checkpoint of this project."""


@dataclass(frozen=True)
class SavedModel:
    """Contents of a model file: the network in evaluation mode on the CPU, its sigma, and its configuration."""

    network: ConvVAE
    sigma: float
    config: TrainConfig


@dataclass(frozen=True)
class StartingPoint:
    """State to train from, the metrics reported so far, and a notice if a checkpoint could not be used."""

    state: TrainState
    history: list[dict[str, float]]
    notice: str | None = None


def save_state(path: Path, state: TrainState, history: list[dict[str, float]]) -> None:
    """Write everything that training needs to resume, and the metrics reported so far, atomically."""
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
    _write(path, contents)


def load_state(path: Path, config: TrainConfig, runtime: Runtime) -> StartingPoint:
    """Read a training state and the metrics reported until it was saved.

    Raises:
        CheckpointError: the file is damaged, or was written with another configuration or on another kind of device.
        OSError: the file cannot be read.
    """
    contents = _read(path)
    state = TrainState(config, runtime)
    saved_config = _config_in(path, contents)
    if saved_config != config:
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


def save_model(path: Path, model: ConvVAE, sigma: float, config: TrainConfig) -> None:
    """Write weights, sigma and configuration, atomically."""
    contents = {"config": asdict(config), "sigma": sigma, "model": model.state_dict()}
    _write(path, contents)


def read_model(path: Path) -> SavedModel:
    """Read a model that `save_model` wrote.

    Raises:
        CheckpointError: the file does not exist, is damaged or holds no model of this project.
        OSError: the file cannot be read.
    """
    contents = _read(path)
    config = _config_in(path, contents)
    try:
        network = ConvVAE.from_config(config)
        network.load_state_dict(contents["model"])
        return SavedModel(network.eval(), float(contents["sigma"]), config)
    except Exception as error:
        raise CheckpointError(f"{path}: does not hold a saved model ({error})") from error


def _config_in(path: Path, contents: dict[str, Any]) -> TrainConfig:
    try:
        return TrainConfig.from_dict(contents["config"])
    except Exception as error:
        raise CheckpointError(f"{path}: does not hold the configuration of its training ({error})") from error


def _device_and_precision(state: TrainState) -> str:
    """Describe what a resumed run must share: random generators do not carry over to another kind of device."""
    return f"{state.runtime.device.type}, {state.runtime.precision}"


def _write(path: Path, contents: dict[str, Any]) -> None:
    # Through memory: if torch.save writes to a file, a full disk becomes a RuntimeError.
    buffer = io.BytesIO()
    torch.save(contents, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def _read(path: Path) -> dict[str, Any]:
    """Read and verify a file.

    Raises:
        CheckpointError: the file does not exist or is damaged.
        OSError: the file cannot be read.
    """
    try:
        raw = io.BytesIO(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"{path}: does not exist") from None
    try:
        # PyTorch does not verify the checksums of the zip file's members.
        damaged_member = zipfile.ZipFile(raw).testzip()
        raw.seek(0)
        contents = torch.load(raw, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's own message recommends turning `weights_only` off.
        raise CheckpointError(
            f"{path}: cannot be read as a saved model (it holds more than tensors and plain values)"
        ) from error
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: cannot be read as a saved model ({reason})") from error
    if damaged_member is not None:
        raise CheckpointError(f"{path}: is damaged (its member {damaged_member})")
    if not isinstance(contents, dict) or not {"config", "model"} <= contents.keys():
        raise CheckpointError(f"{path}: does not hold a saved model")
    return contents
