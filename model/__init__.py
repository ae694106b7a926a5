"""Convolutional VAE of 32x32 images: network, data, scoring, training, and the use of trained models.

>>> import model
>>> trained = model.load_model("results/quick/best/model.pt")
>>> trained.sample(16).shape
(16, 32, 32, 3)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.config import TrainConfig
    from model.data.bundled_sample import load_sample
    from model.data.cifar10 import load_cifar10
    from model.data.image_folder import load_folder
    from model.data.images import ImageData
    from model.errors import UserError
    from model.network.vae import ConvVAE
    from model.scoring.evaluation import Evaluation
    from model.trained_model import TrainedModel, load_model
    from model.training.train_state import TrainState
    from model.training.training_loop import EpochMetrics, train

__all__ = [
    "ConvVAE",
    "EpochMetrics",
    "Evaluation",
    "ImageData",
    "TrainConfig",
    "TrainState",
    "TrainedModel",
    "UserError",
    "load_cifar10",
    "load_folder",
    "load_model",
    "load_sample",
    "train",
]

_MODULES = {
    "ConvVAE": "model.network.vae",
    "EpochMetrics": "model.training.training_loop",
    "Evaluation": "model.scoring.evaluation",
    "ImageData": "model.data.images",
    "TrainConfig": "model.config",
    "TrainState": "model.training.train_state",
    "TrainedModel": "model.trained_model",
    "UserError": "model.errors",
    "load_cifar10": "model.data.cifar10",
    "load_folder": "model.data.image_folder",
    "load_model": "model.trained_model",
    "load_sample": "model.data.bundled_sample",
    "train": "model.training.training_loop",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: `import model.config` must not wait for torch, so that faulty files are reported at once.
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
