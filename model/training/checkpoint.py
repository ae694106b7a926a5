"""Save and load: a whole training state to go on from, or a finished model to use.

Both are read with `weights_only=True`: tensors and plain values, no code.
"""

import io
import pickle
import zipfile
from dataclasses import asdict
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
from model.training.training_loop import TrainState


class CheckpointError(UserError):
    """The file is no checkpoint of ours, or not a whole one."""


def save_state(path: Path, state: TrainState, history: list[dict[str, float]]) -> None:
    """Write everything that training needs to go on, and the metrics reported so far, atomically."""
    contents = {
        "config": asdict(state.config),
        "made_on": _made_on(state),
        "step": state.step,
        "skipped_updates": state.skipped_updates,
        "elapsed_s": state.elapsed_s,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "noise": state.noise.get_state(),
        "history": history,
    }
    _write(path, contents)


def load_state(path: Path, config: TrainConfig, runtime: Runtime) -> tuple[TrainState, list[dict[str, float]]]:
    """Read where a run stood: its state, and the metrics reported until then.

    Raises: CheckpointError: the file is damaged, or was written under another configuration or kind of device.
    """
    contents = _load(path)
    state = TrainState(config, runtime)
    made_for = _config_of(path, contents)
    if made_for != config:
        raise CheckpointError(f"{path}: was written under other hyperparameters; remove it")
    if "made_on" not in contents:
        raise CheckpointError(f"{path}: holds a model alone, not the state of a run")
    if contents["made_on"] != _made_on(state):
        raise CheckpointError(f"{path}: was written on {contents['made_on']}, this is {_made_on(state)}")
    try:
        state.model.load_state_dict(contents["model"])
        state.optimizer.load_state_dict(contents["optimizer"])
        state.noise.set_state(contents["noise"])
        state.step = contents["step"]
        state.skipped_updates = contents["skipped_updates"]
        state.elapsed_s = contents["elapsed_s"]
        return state, list(contents["history"])
    except Exception as error:
        raise CheckpointError(f"{path}: holds something else than the state of this model ({error})") from error


def save_model(path: Path, model: ConvVAE, sigma: float, config: TrainConfig) -> None:
    """Write weights, sigma and configuration, atomically."""
    contents = {"config": asdict(config), "sigma": sigma, "model": model.state_dict()}
    _write(path, contents)


def load_model(path: Path) -> tuple[ConvVAE, float, TrainConfig]:
    """Read a saved model: the VAE in evaluation mode on the CPU, its sigma, and how it was trained.

    Raises: CheckpointError: the file is absent, damaged or not a model of ours.
    """
    contents = _load(path)
    config = _config_of(path, contents)
    try:
        model = ConvVAE.of(config)
        model.load_state_dict(contents["model"])
        return model.eval(), float(contents["sigma"]), config
    except Exception as error:
        raise CheckpointError(f"{path}: holds something else than a saved model ({error})") from error


def _config_of(path: Path, contents: dict[str, Any]) -> TrainConfig:
    try:
        return TrainConfig.from_dict(contents["config"])
    except Exception as error:
        raise CheckpointError(f"{path}: does not tell how it was trained ({error})") from error


def _made_on(state: TrainState) -> str:
    """What a run must go on with: random generators do not carry over to another kind of device."""
    return f"{state.runtime.device.type}, {state.runtime.precision}"


def _write(path: Path, contents: dict[str, Any]) -> None:
    # By way of memory: writing to a file, torch.save turns a full disk into a RuntimeError.
    buffer = io.BytesIO()
    torch.save(contents, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def _load(path: Path) -> dict[str, Any]:
    """Raises: CheckpointError: the file is absent or damaged. OSError: it cannot be read."""
    try:
        raw = io.BytesIO(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"{path}: is absent") from None
    try:
        # PyTorch does not look at the sums that a zip file keeps of its parts.
        torn = zipfile.ZipFile(raw).testzip()
        raw.seek(0)
        contents = torch.load(raw, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's own words are on how to lower its guard.
        raise CheckpointError(
            f"{path}: cannot be read as a saved model (it holds more than tensors and plain values)"
        ) from error
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: cannot be read as a saved model ({reason})") from error
    if torn is not None:
        raise CheckpointError(f"{path}: is damaged (its part {torn})")
    if not isinstance(contents, dict) or not {"config", "model"} <= contents.keys():
        raise CheckpointError(f"{path}: holds something else than a saved model")
    return contents


def resume_or_start(
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
