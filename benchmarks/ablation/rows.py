"""Rows of the ablation: the change of each row and the reason for it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from benchmarks.ablation import variants
from benchmarks.ablation.variants import Change
from model.config import CHANNELS, TrainConfig

LATENT_DIM = 128
# Long enough to tell, short enough for thirty rows.
EPOCHS = 3
BASE = TrainConfig(
    latent_dim=LATENT_DIM, learning_rate=2e-3, batch_size=64, schedule="cosine", warmup_epochs=0.2, epochs=EPOCHS
)
DECISIVE_SEEDS = (0, 1)
Part = Literal["way", "change", "linear", "longer", "reach"]


@dataclass(frozen=True)
class Row:
    """One way of training: settings of its own beside BASE's, and changes of the model.

    kl_warmup_epochs: the rate's weight rises linearly for so long. averaged_epochs: the weights that are scored are
    the mean over the last so many. weight_decay is decoupled (Loshchilov & Hutter 2019).
    """

    name: str
    part: Part
    settings: dict[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    weight_decay: float = 0.0
    kl_warmup_epochs: float = 0.0
    averaged_epochs: float = 0.0
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
        changes = tuple(change for change in self.changes if change not in (_INIT, _HEADS))
        return *model, config.batch_size, changes, self.weight_decay > 0


_TUTORIAL = {
    **{"architecture": "plain", "learning_rate": 1e-3, "schedule": "constant", "warmup_epochs": 0.0},
    "adam_beta2": 0.999,
}
_OLD_BETA2 = {"adam_beta2": 0.999}
_PLAIN = {"architecture": "plain"}
_OUT, _INIT, _CENTRE = variants.logistic_output, variants.pytorch_init, variants.uncentred
_HEADS = variants.pytorch_heads

# From the tutorial's recipe to ours, each row with all that the ones above it changed.
WAY = (
    Row("the tutorial's: binary cross-entropy", "way", {**_TUTORIAL, "reconstruction": "bce"}),
    Row("Gaussian, σ at its optimum", "way", _TUTORIAL),
    Row("cosine from 2e-3, warm-up", "way", _PLAIN | _OLD_BETA2, seeds=DECISIVE_SEEDS),
    Row("SiLU", "way", _PLAIN | _OLD_BETA2, (variants.activation(nn.SiLU),)),
    Row("no normalisation", "way", _OLD_BETA2, (_INIT, _CENTRE, _OUT), seeds=DECISIVE_SEEDS),
    Row("weights that keep the variance", "way", _OLD_BETA2, (_CENTRE, _OUT), seeds=DECISIVE_SEEDS),
    Row("pixels centred", "way", _OLD_BETA2, (_OUT,)),
    Row("linear output, clamped", "way", _OLD_BETA2, seeds=DECISIVE_SEEDS),
    Row("Adam's second moment over 50 steps: ours", "way", seeds=DECISIVE_SEEDS),
)
# As SILU_GAIN of model/network/initial_weights.py: of a standard normal x, E[relu(x)^2] = 0.5 and E[gelu(x)^2] = 0.425.
RELU_GAIN, GELU_GAIN = 0.5**-0.5, 0.425**-0.5
# Ours with one thing otherwise.
CHANGES = (
    Row("plain", "change", _PLAIN, seeds=DECISIVE_SEEDS),
    Row("plain, learning rate 1e-3", "change", _PLAIN | {"learning_rate": 1e-3}),
    Row("plain, learning rate 4e-3", "change", _PLAIN | {"learning_rate": 4e-3}),
    Row("batch normalisation", "change", {}, (variants.normalised(nn.BatchNorm2d),), seeds=DECISIVE_SEEDS),
    Row("group normalisation", "change", {}, (variants.normalised(variants.group_norm),)),
    Row("layer normalisation of each pixel", "change", {}, (variants.normalised(variants.LayerNorm),)),
    Row("ReLU", "change", {}, (variants.activation(nn.ReLU, gain=RELU_GAIN),)),
    Row("GELU", "change", {}, (variants.activation(nn.GELU, gain=GELU_GAIN),)),
    Row("PyTorch's initial weights", "change", {}, (_INIT,)),
    Row("PyTorch's initial weights for mean and log-variance alone", "change", {}, (_HEADS,)),
    Row("logistic output", "change", {}, (_OUT,)),
    Row("twice the channels", "change", {"channels": tuple(2 * n for n in CHANNELS)}),
    Row("half the channels", "change", {"channels": tuple(n // 2 for n in CHANNELS)}),
    Row("512 channels at the top", "change", {"channels": (*CHANNELS[:3], 512)}, seeds=DECISIVE_SEEDS),
    Row("a residual block at 8x8", "change", {}, (variants.residual_blocks(8),)),
    Row("a residual block at 4x4", "change", {}, (variants.residual_blocks(4),)),
    Row("linear residual layers around the code", "change", {}, (variants.deeper_bottleneck,)),
    Row("learning rate 1e-3", "change", {"learning_rate": 1e-3}),
    Row("learning rate 4e-3", "change", {"learning_rate": 4e-3}),
    Row("no warm-up", "change", {"warmup_epochs": 0.0}),
    Row("constant learning rate", "change", {"schedule": "constant"}),
    Row("constant, weights averaged over the last epoch", "change", {"schedule": "constant"}, averaged_epochs=1.0),
    Row("weights averaged over the last half epoch", "change", averaged_epochs=0.5),
    Row("batch size 128", "change", {"batch_size": 128}, seeds=DECISIVE_SEEDS),
    Row("batch size 32", "change", {"batch_size": 32}),
    Row("batch size 16", "change", {"batch_size": 16}),
    Row("weight decay 0.01", "change", weight_decay=0.01),
    Row("weight decay 0.1", "change", weight_decay=0.1),
    Row("rate's weight from 0 to 1 over the first epoch", "change", kl_warmup_epochs=1.0),
    Row("second moment over 20 steps", "change", {"adam_beta2": 0.95}),
    Row("gradients clipped at 1,000", "change", {"max_grad_norm": 1000.0}),
    Row("linear path", "change", {"linear_path": True}, seeds=DECISIVE_SEEDS),
)
_LINEAR = {"linear_path": True}
LINEAR = (
    Row("linear path, learning rate 1e-3", "linear", _LINEAR | {"learning_rate": 1e-3}),
    Row("linear path, plain", "linear", {**_LINEAR, "architecture": "plain"}),
    *(
        Row(f"linear path, trained at {share:g} of the rate", "linear", _LINEAR, (variants.trained_linear_path(share),))
        for share in (1.0, 0.1, 0.01)
    ),
)
_LONG = {"epochs": 10}
# What decides, at ten epochs.
LONGER = (
    Row("plain, 10 epochs", "longer", {**_PLAIN, **_LONG}, seeds=DECISIVE_SEEDS),
    Row("ours, 10 epochs", "longer", _LONG, seeds=DECISIVE_SEEDS),
    Row("linear path, 10 epochs", "longer", {**_LINEAR, **_LONG}),
)
# Scored on the test split, once everything is chosen.
_LONGEST = {"epochs": 20}
REACH = (
    Row("plain, d = 128", "reach", {**_PLAIN, **_OLD_BETA2, **_LONGEST}),
    *(Row(f"ours, d = {d}", "reach", {**_LONGEST, "latent_dim": d}) for d in (32, 64, 128, 256)),
    *(Row(f"linear path, d = {d}", "reach", {**_LINEAR, **_LONGEST, "latent_dim": d}) for d in (32, 64, 128, 256)),
)
ROWS = (*WAY, *CHANGES, *LINEAR, *LONGER, *REACH)
