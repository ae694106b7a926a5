"""Files of tensors and plain values. They are read with `weights_only=True`, so that no code in them can run."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from model.atomic_files import replacing
from model.config import TrainConfig
from model.errors import UserError


class CheckpointError(UserError):
    """Error for a file that is not a complete checkpoint of this project."""


def write_tensors(path: Path, contents: dict[str, Any]) -> None:
    """Write tensors and plain values, atomically."""
    # Through memory: if torch.save writes to a file, a full disk becomes a RuntimeError.
    buffer = io.BytesIO()
    torch.save(contents, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def read_tensors(path: Path) -> dict[str, Any]:
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


def config_in(path: Path, contents: dict[str, Any]) -> TrainConfig:
    """Return the configuration in a file's contents.

    Raises: CheckpointError: there is none, or it is of another form.
    """
    try:
        return TrainConfig.from_dict(contents["config"])
    except Exception as error:
        raise CheckpointError(f"{path}: does not hold the configuration of its training ({error})") from error
