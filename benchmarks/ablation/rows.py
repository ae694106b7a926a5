"""Rows of the ablation: the change of each row and the reason for it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from benchmarks.ablation import variants
from benchmarks.ablation.variants import Change
from model.config import TrainConfig

LATENT_DIM = 128
# Long enough to tell, short enough for forty rows.
EPOCHS = 3
BASE = TrainConfig(
    latent_dim=LATENT_DIM,
    learning_rate=2e-3,
    batch_size=64,
    schedule="cosine",
    warmup_epochs=0.2,
    horizontal_flip=False,
    epochs=EPOCHS,
    pca_start=False,
)
DECISIVE_SEEDS = (0, 1)
Part = Literal["way", "change", "network", "longer", "reach"]


@dataclass(frozen=True)
class Row:
    """One way of training: settings of its own beside BASE's, and changes of the model."""

    name: str
    part: Part
    settings: dict[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    seeds: tuple[int, ...] = (0,)

    @property
    def config(self) -> TrainConfig:
        """Training configuration of the row, except its seed."""
        return TrainConfig(**{**BASE.__dict__, **self.settings})

    @property
    def timed_as(self) -> str:
        """The first row that does the same work a step, and so is as fast."""
        return next(row.name for row in ROWS if row._work() == self._work())

    def _work(self) -> tuple[Any, ...]:
        config = self.config
        model = config.architecture, config.channels, config.latent_dim, config.linear_path, config.reconstruction
        # Other initial weights take no longer.
        changes = tuple(change for change in self.changes if change not in _FIRST_WEIGHTS)
        return *model, config.batch_size, changes


# Channels that are left out are the architecture's own.
_PLAIN = {"architecture": "plain", "channels": ()}
_NORM_FREE = {"architecture": "norm_free", "channels": ()}
_TUTORIAL = {
    **_PLAIN,
    **{"learning_rate": 1e-3, "schedule": "constant", "warmup_epochs": 0.0, "adam_beta2": 0.999},
}
_OLD_BETA2 = {"adam_beta2": 0.999}
_OUT, _INIT, _CENTRE = variants.logistic_output, variants.pytorch_init, variants.uncentred
_HEADS = variants.pytorch_heads
_FIRST_WEIGHTS = (_INIT, _HEADS)

# From the tutorial's recipe to norm_free, each row with all that the ones above it changed.
WAY = (
    Row("the tutorial's: binary cross-entropy", "way", {**_TUTORIAL, "reconstruction": "bce"}),
    Row("Gaussian, σ at its optimum", "way", _TUTORIAL),
    Row("cosine from 2e-3, warm-up", "way", _PLAIN | _OLD_BETA2, seeds=DECISIVE_SEEDS),
    Row("SiLU", "way", _PLAIN | _OLD_BETA2, (variants.activation(nn.SiLU),)),
    Row("no normalisation", "way", _NORM_FREE | _OLD_BETA2, (_INIT, _CENTRE, _OUT), seeds=DECISIVE_SEEDS),
    Row("weights that keep the variance", "way", _NORM_FREE | _OLD_BETA2, (_CENTRE, _OUT), seeds=DECISIVE_SEEDS),
    Row("pixels centred", "way", _NORM_FREE | _OLD_BETA2, (_OUT,)),
    Row("linear output, clamped", "way", _NORM_FREE | _OLD_BETA2, seeds=DECISIVE_SEEDS),
    Row("Adam's second moment over 50 steps: norm_free", "way", _NORM_FREE, seeds=DECISIVE_SEEDS),
)
# As SILU_GAIN of model/network/initial_weights.py: of a standard normal x, E[relu(x)^2] = 0.5 and E[gelu(x)^2] = 0.425.
RELU_GAIN, GELU_GAIN = 0.5**-0.5, 0.425**-0.5


def _norm_free(name: str, *changes: Change, seeds: tuple[int, ...] = (0,), **settings: Any) -> Row:
    return Row(name, "change", _NORM_FREE | settings, changes, seeds=seeds)


# norm_free with one thing otherwise. What decided nothing has been left out: residual blocks, averaged weights, weight
# decay, a warm-up of the rate, clipping.
CHANGES = (
    Row("plain", "change", _PLAIN, seeds=DECISIVE_SEEDS),
    Row("plain, learning rate 1e-3", "change", _PLAIN | {"learning_rate": 1e-3}),
    Row("plain, learning rate 4e-3", "change", _PLAIN | {"learning_rate": 4e-3}),
    _norm_free("batch normalisation", variants.normalised(nn.BatchNorm2d), seeds=DECISIVE_SEEDS),
    _norm_free("group normalisation", variants.normalised(variants.group_norm)),
    _norm_free("layer normalisation of each pixel", variants.normalised(variants.LayerNorm)),
    _norm_free("ReLU", variants.activation(nn.ReLU, gain=RELU_GAIN)),
    _norm_free("GELU", variants.activation(nn.GELU, gain=GELU_GAIN)),
    _norm_free("PyTorch's initial weights", _INIT),
    _norm_free("PyTorch's initial weights for mean and log-variance alone", _HEADS),
    _norm_free("logistic output", _OUT),
    _norm_free("twice the channels", channels=(64, 128, 256, 512)),
    _norm_free("half the channels", channels=(16, 32, 64, 128)),
    _norm_free("512 channels at the top", channels=(32, 64, 128, 512), seeds=DECISIVE_SEEDS),
    _norm_free("learning rate 1e-3", learning_rate=1e-3),
    _norm_free("learning rate 4e-3", learning_rate=4e-3),
    _norm_free("no warm-up", warmup_epochs=0.0),
    _norm_free("constant learning rate", schedule="constant"),
    _norm_free("batch size 128", batch_size=128, seeds=DECISIVE_SEEDS),
    _norm_free("batch size 32", batch_size=32),
    _norm_free("batch size 16", batch_size=16),
    _norm_free("linear path", linear_path=True, seeds=DECISIVE_SEEDS),
)
_LINEAR = _NORM_FREE | {"linear_path": True}
# pPCA first, its layers trained at the convolutions' rate, which begin with random weights; and the default.
AT_ONE_RATE: dict[str, Any] = {"pca_start": True, "skip_learning_rate": 1.0}
SLOW_SKIP: dict[str, Any] = {"pca_start": True, "learning_rate": 8e-3}
# Networks by the length of the code: what lies between the pixels and the code, how it begins and how it learns.
_NETWORKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("norm_free", _NORM_FREE),
    ("linear_skip, random directions first", {}),
    ("linear_skip, pPCA first", AT_ONE_RATE),
    ("linear_skip, pPCA first, slow skip, learning rate 8e-3", SLOW_SKIP),
    ("the same, two stages", SLOW_SKIP | {"channels": (32, 48)}),
    ("the same, four stages", SLOW_SKIP | {"channels": (32, 48, 96, 192)}),
    ("the same, twice the channels of the convolutions", SLOW_SKIP | {"channels": (64, 48, 192)}),
)
NETWORK_DIMS = (128, 512)
# Lengths at which networks are compared by their pictures.
PICTURE_DIMS = (32, 128, 512)
NETWORKS = tuple(
    Row(f"{name}, {EPOCHS} epochs, d = {d}", "network", settings | {"latent_dim": d})
    for d in NETWORK_DIMS
    for name, settings in _NETWORKS
)
_LONG = {"epochs": 10}
# What decides, at ten epochs.
LONGER = (
    Row("plain, 10 epochs", "longer", {**_PLAIN, **_LONG}, seeds=DECISIVE_SEEDS),
    Row("norm_free, 10 epochs", "longer", {**_NORM_FREE, **_LONG}, seeds=DECISIVE_SEEDS),
    Row("linear path, 10 epochs", "longer", {**_LINEAR, **_LONG}),
)
# Scored on the test split, once everything is chosen.
_LONGEST = {"epochs": 20}


def _flipped(latent_dim: int) -> dict[str, Any]:
    return {**_LONGEST, "latent_dim": latent_dim, "horizontal_flip": True}


REACH = (
    Row("plain, d = 128", "reach", {**_PLAIN, **_OLD_BETA2, **_LONGEST}),
    *(Row(f"norm_free, d = {d}", "reach", {**_NORM_FREE, **_LONGEST, "latent_dim": d}) for d in (32, 64, 128, 256)),
    *(Row(f"linear path, d = {d}", "reach", {**_LINEAR, **_LONGEST, "latent_dim": d}) for d in (32, 64, 128, 256)),
    *(Row(f"linear_skip, d = {d}", "reach", {**_LONGEST, "latent_dim": d}) for d in (32, 128, 512)),
    Row("linear_skip, flips, d = 512", "reach", _flipped(512)),
    *(
        Row(f"linear_skip, pPCA first, flips, d = {d}", "reach", _flipped(d) | AT_ONE_RATE)
        for d in (32, 64, 128, 512, 1024)
    ),
    *(
        Row(f"linear_skip, pPCA first, slow skip, flips, learning rate 8e-3, d = {d}", "reach", _flipped(d) | SLOW_SKIP)
        for d in (32, 64, 128, 256, 512, 1024)
    ),
    Row(
        "linear_skip, pPCA first, slow skip, flips, learning rate 4e-3, twice the channels of the convolutions, d = 32",
        "reach",
        _flipped(32) | SLOW_SKIP | {"learning_rate": 4e-3, "channels": (64, 48, 192)},
    ),
)
ROWS = (*WAY, *CHANGES, *NETWORKS, *LONGER, *REACH)
