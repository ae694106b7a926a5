"""File of a trained model, model.pt: weights, sigma and configuration."""

from dataclasses import asdict, dataclass
from pathlib import Path

from model.config import TrainConfig
from model.network.vae import ConvVAE
from model.training.tensor_file import CheckpointError, config_in, read_tensors, write_tensors


@dataclass(frozen=True)
class SavedModel:
    """Contents of a model file: the network in evaluation mode on the CPU, its sigma, and its configuration."""

    network: ConvVAE
    sigma: float
    config: TrainConfig


def save_model(path: Path, model: ConvVAE, sigma: float, config: TrainConfig) -> None:
    """Write weights, sigma and configuration, atomically."""
    contents = {"config": asdict(config), "sigma": sigma, "model": model.state_dict()}
    write_tensors(path, contents)


def read_model(path: Path) -> SavedModel:
    """Read a model that `save_model` wrote.

    Raises:
        CheckpointError: the file does not exist, is damaged or holds no model of this project.
        OSError: the file cannot be read.
    """
    contents = read_tensors(path)
    config = config_in(path, contents)
    try:
        network = ConvVAE.from_config(config)
        network.load_state_dict(contents["model"])
        return SavedModel(network.eval(), float(contents["sigma"]), config)
    except Exception as error:
        raise CheckpointError(f"{path}: does not hold a saved model ({error})") from error
