"""How one model is trained: what a study searches or pins. Free of torch, so that a faulty file is told at once."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

Source = Literal["cifar10", "sample", "folder"]
Schedule = Literal["constant", "cosine"]
Reconstruction = Literal["gaussian", "bce"]
Architecture = Literal["plain", "norm_free"]
CHANNELS = (32, 64, 128, 256)
# Colour values of one image.
DIMENSIONS = 3 * 32 * 32
# Fields of TrainConfig that came later, as they were before there was a choice.
FIRST_VALUES: dict[str, Any] = {"architecture": "plain", "linear_path": False, "adam_beta2": 0.999}


@dataclass(frozen=True)
class TrainConfig:
    """One training run. The defaults are the tutorial's values, but for architecture (`plain`) and adam_beta2 (0.999).

    beta weighs the rate in the training loss (Higgins et al. 2017); learning_rate is Adam's, after warmup_epochs, and
    adam_beta2 the decay of its second moment: 0.98 reaches back 50 steps, since a run has but thousands; schedule
    `cosine` falls to zero over the run; gradients are clipped to the norm max_grad_norm; reconstruction `bce` trains
    with the tutorial's binary cross-entropy in place of the Gaussian with optimal sigma. Reports come every
    report_every epochs of images, so that all batch sizes are compared after the same data. linear_path sets
    probabilistic PCA beside the convolutions.
    """

    beta: float = 1.0
    latent_dim: int = 128
    learning_rate: float = 1e-3
    batch_size: int = 64
    schedule: Schedule = "constant"
    warmup_epochs: float = 0.0
    max_grad_norm: float = 5000.0
    reconstruction: Reconstruction = "gaussian"
    adam_beta2: float = 0.98
    epochs: int = 10
    report_every: float = 1.0
    seed: int = 0
    channels: tuple[int, ...] = CHANNELS
    architecture: Architecture = "norm_free"
    linear_path: bool = False

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """The inverse of `dataclasses.asdict`, also after a trip through a file that is older than a field."""
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**{**FIRST_VALUES, **known, "channels": tuple(known.get("channels", CHANNELS))})

    @property
    def n_reports(self) -> int:
        """How many report points the whole run has."""
        # Rounded first: 6 / 0.1 must not become 61 reports.
        return math.ceil(round(self.epochs / self.report_every, 6))

    def epoch_at(self, report: int) -> float:
        """Epochs of images seen at report point 0, 1, 2, ..."""
        return min(round(report * self.report_every, 6), float(self.epochs))

    def step_at(self, report: int, n_train: int) -> int:
        """Updates made by then: the first at which that many images were seen."""
        return math.ceil(self.epoch_at(report) * n_train / self.batch_size)

    def learning_rate_at(self, step: int, n_train: int) -> float:
        """Linear warm-up to the full rate, then constant or half a cosine to zero (Loshchilov & Hutter 2017)."""
        total = self.step_at(self.n_reports, n_train)
        n_warmup = min(total, math.ceil(self.warmup_epochs * n_train / self.batch_size))
        if step < n_warmup:
            return self.learning_rate * (step + 1) / n_warmup
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - n_warmup) / max(1, total - n_warmup)))
