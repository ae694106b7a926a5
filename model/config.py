"""Configuration of one training run. It imports no torch, so that a faulty study file is reported at once."""

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_type_hints

Source = Literal[
    "cifar10",
    "sample",
    "folder",
    "torchvision:CIFAR100",
    "torchvision:FashionMNIST",
    "torchvision:MNIST",
    "torchvision:SVHN",
]
Schedule = Literal["constant", "cosine", "schedule_free"]
Reconstruction = Literal["gaussian", "bce"]
Architecture = Literal["plain", "norm_free", "linear_skip"]
# Output channels of the encoder's convolutions where none are given.
DEFAULT_CHANNELS: dict[Architecture, tuple[int, ...]] = {
    "plain": (32, 64, 128, 256),
    "norm_free": (32, 64, 128, 256),
    "linear_skip": (32, 48, 96),
}
# A study or run of an earlier version goes on as it began, where its file or command names no other value: with a
# default that has changed since, and without what came later and is on by default.
FORMER_DEFAULTS: dict[str, Any] = {"architecture": "norm_free"}
LATER_DEFAULTS = ("pca_start", "skip_learning_rate", "horizontal_flip")
ImageShape = tuple[int, int, int]
# Channels, height and width of an image of CIFAR-10, and its number of colour values.
IMAGE_SHAPE: ImageShape = (3, 32, 32)
DIMENSIONS = math.prod(IMAGE_SHAPE)
# Images of the data sets; those of a folder are resized to any of these sizes, in RGB or grey.
SHAPES: dict[str, ImageShape] = {
    "cifar10": IMAGE_SHAPE,
    "sample": IMAGE_SHAPE,
    "torchvision:CIFAR100": IMAGE_SHAPE,
    "torchvision:FashionMNIST": (1, 28, 28),
    "torchvision:MNIST": (1, 28, 28),
    "torchvision:SVHN": IMAGE_SHAPE,
}
# Values of the fields that were added later, in runs and studies that are older than these fields.
FIRST_VALUES: dict[str, Any] = {
    "architecture": "plain",
    "linear_path": False,
    "adam_beta2": 0.999,
    "pca_start": False,
    "skip_learning_rate": 1.0,
    "horizontal_flip": False,
    "max_shift": 0,
    "image_shape": IMAGE_SHAPE,
}
# Settings that there are no longer, at the values at which they did nothing: files of earlier versions have them.
REMOVED: dict[str, Any] = {"weight_decay": 0.0}


def former_defaults(recorded: Mapping[str, Any], named: Set[str]) -> dict[str, Any]:
    """Return what a study or run keeps of the defaults of the version that began it.

    Args:
        recorded: its settings as they were written, so that what came later is not among them.
        named: settings that its file or command names.
    """
    former = {name: value for name, value in FORMER_DEFAULTS.items() if recorded.get(name) == value}
    later = {name: FIRST_VALUES[name] for name in LATER_DEFAULTS if name not in recorded}
    return {name: value for name, value in (former | later).items() if name not in named}


def _described(description: str, *, label: str = "", searchable: bool = False, **bounds: float) -> dict[str, Any]:
    """Return the metadata of a field of TrainConfig.

    Args:
        description: one sentence for `--help`, the documentation and the JSON schema.
        label: name in figures and pages; the field's name with spaces if empty.
        searchable: True if a study may search it: then it becomes an entry of the study file's `hyperparameters:`.
        bounds: `gt`, `ge`, `lt`, `le` of its values.
    """
    return {"description": description, "label": label, "searchable": searchable, "bounds": bounds}


@dataclass(frozen=True)
class TrainConfig:
    """Configuration of one training run. The defaults are the tutorial's, except for `architecture`, `pca_start`,
    `skip_learning_rate`, `adam_beta2` and `horizontal_flip`.

    This is the only place that defines a hyperparameter: study schema, options of `train`, documentation, JSON schema
    and labels follow from the fields. Reports come every `report_every` epochs of images, so that all batch sizes are
    compared after the same number of images.

    Empty channels become the architecture's own. So a copy with another architecture needs `channels=()`, too.
    """

    beta: float = field(
        default=1.0,
        metadata=_described(
            "Weight of the rate in the training loss (Higgins et al. 2017).", label="β", searchable=True, ge=0
        ),
    )
    latent_dim: int = field(
        default=128,
        metadata=_described("Number of latent dimensions.", label="latent dimension", searchable=True, ge=1, le=3072),
    )
    learning_rate: float = field(
        default=1e-3, metadata=_described("Adam's learning rate after the warm-up.", searchable=True, gt=0)
    )
    batch_size: int = field(default=64, metadata=_described("Images per update.", searchable=True, ge=2, le=8192))
    schedule: Schedule = field(
        default="constant",
        metadata=_described(
            "Learning rate after the warm-up: constant; cosine, which falls to zero (Loshchilov & Hutter 2017); or "
            "schedule_free, a constant one with averaged weights (Defazio et al. 2024), so that trials can go on for "
            "longer.",
            searchable=True,
        ),
    )
    warmup_epochs: float = field(
        default=0.0,
        metadata=_described(
            "Epochs in which the learning rate rises linearly from zero.", label="warm-up epochs", searchable=True, ge=0
        ),
    )
    max_grad_norm: float = field(
        default=5000.0,
        metadata=_described(
            "Norm to which the gradient is clipped.", label="maximum gradient norm", searchable=True, gt=0
        ),
    )
    reconstruction: Reconstruction = field(
        default="gaussian",
        metadata=_described(
            "Training loss: gaussian with the optimal sigma, or bce, the tutorial's binary cross-entropy; val_bpd is "
            "Gaussian with either.",
            searchable=True,
        ),
    )
    adam_beta2: float = field(
        default=0.98,
        metadata=_described(
            "Decay of Adam's second moment; 0.98 reaches back 50 updates, since a run has only thousands; the "
            "tutorial's is 0.999.",
            label="Adam's β₂",
            searchable=True,
            gt=0,
            lt=1,
        ),
    )
    horizontal_flip: bool = field(
        default=True,
        metadata=_described(
            "Mirror training images at random; switch it off for images in which left and right matter (text, digits).",
            searchable=True,
        ),
    )
    max_shift: int = field(
        default=0,
        metadata=_described(
            "Pixels by which training images are shifted at random, at most, in each direction.",
            label="maximum shift",
            searchable=True,
            ge=0,
            le=8,
        ),
    )
    epochs: int = field(default=10, metadata=_described("Passes over the training images.", ge=1))
    report_every: float = field(default=1.0, metadata=_described("Epochs between two report points.", ge=0.01, le=1))
    seed: int = field(default=0, metadata=_described("Seed of weights, image order and noise.", ge=0, le=2**31 - 1))
    channels: tuple[int, ...] = field(
        default=(),
        metadata=_described(
            "Output channels of the encoder's convolutions, each of which halves the sides of its input; the decoder "
            "mirrors them; one to five, at least two for linear_skip; empty: [32, 48, 96] for linear_skip, "
            "[32, 64, 128, 256] for the others."
        ),
    )
    architecture: Architecture = field(
        default="linear_skip",
        metadata=_described(
            "linear_skip: SiLU, initial weights that preserve variances, a linear skip past the convolutions, a linear "
            "output; norm_free: without the skip; plain (the tutorial's): batch normalisation, ReLU, a logistic output."
        ),
    )
    linear_path: bool = field(
        default=False,
        metadata=_described(
            "Put probabilistic PCA (pPCA) beside the convolutions, which learn what it lacks; training then starts at "
            "pPCA's score and reconstruction must be gaussian."
        ),
    )
    pca_start: bool = field(
        default=True,
        metadata=_described(
            "Begin the training of linear_skip, after epoch 0, by setting its linear skip to probabilistic PCA, which "
            "takes seconds."
        ),
    )
    skip_learning_rate: float = field(
        default=0.025,
        metadata=_described(
            "Learning rate of the linear skip and of the layers next to the code, as a share of the others', where "
            "training begins with probabilistic PCA (pca_start); below 1 the convolutions begin by adding nothing.",
            label="share of the learning rate for the linear skip",
            gt=0,
            le=1,
        ),
    )
    image_shape: ImageShape = field(
        default=IMAGE_SHAPE,
        metadata=_described("Channels, height and width of the images; height and width are equal."),
    )

    def __post_init__(self) -> None:
        if not self.channels:
            object.__setattr__(self, "channels", DEFAULT_CHANNELS[self.architecture])

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Return the configuration that `dataclasses.asdict` made these values of, also if read from a file.

        A file may be older than some fields: these get their FIRST_VALUES.
        """
        given = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        values = {**FIRST_VALUES, "channels": (), **given}
        return cls(**values | {name: tuple(values[name]) for name in ("channels", "image_shape")})

    @property
    def n_dims(self) -> int:
        """Number of values of an image, D."""
        return math.prod(self.image_shape)

    @property
    def starts_with_pca(self) -> bool:
        """True if training begins by setting the linear skip to pPCA."""
        return self.pca_start and self.architecture == "linear_skip" and not self.linear_path

    @property
    def can_be_longer(self) -> bool:
        """True if a training with more epochs begins as this one does, and with the same report points."""
        fits = (self.epochs / self.report_every + 1e-6) % 1 < 2e-6
        return self.schedule != "cosine" and self.warmup_epochs <= self.epochs and fits

    def continues(self, other: "TrainConfig") -> bool:
        """Return True if a training with this configuration goes on from any point of one with the other."""
        longer = other.epochs < self.epochs and other.can_be_longer and replace(other, epochs=self.epochs) == self
        return self == other or longer

    @property
    def n_reports(self) -> int:
        """Number of report points of the whole run."""
        # Rounded first: 6 / 0.1 must not become 61 reports.
        return math.ceil(round(self.epochs / self.report_every, 6))

    def epoch_at(self, report: int) -> float:
        """Return the epochs of images that were seen at report point 0, 1, 2, ..."""
        return min(round(report * self.report_every, 6), float(self.epochs))

    def step_at(self, report: int, n_train: int) -> int:
        """Return the number of updates at a report point: the smallest that has seen the point's epochs of images.

        step = ceil(epoch_at(report) * n_train / batch_size)
        """
        return math.ceil(self.epoch_at(report) * n_train / self.batch_size)


@dataclass(frozen=True)
class Setting:
    """A field of TrainConfig, described for pages, schema and command line.

    `bounds` has keys `gt`, `ge`, `lt` and `le`; `label` is the name in figures and pages.
    """

    name: str
    type: Any
    default: Any
    description: str
    label: str
    searchable: bool
    bounds: dict[str, Any]


def _settings() -> dict[str, Setting]:
    """Return the fields of TrainConfig by name, in order."""
    hints = get_type_hints(TrainConfig)
    return {
        entry.name: Setting(
            name=entry.name,
            type=hints[entry.name],
            default=entry.default,
            description=entry.metadata["description"],
            label=entry.metadata["label"] or entry.name.replace("_", " "),
            searchable=entry.metadata["searchable"],
            bounds=entry.metadata["bounds"],
        )
        for entry in fields(TrainConfig)
    }


SETTINGS = _settings()
