"""Sections of a study file, except its images and hyperparameters."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from hpo.config.strict_model import ACROSS_KEYS, NonNegative, Positive, Seed, StrictModel
from model.config import DEFAULT_CHANNELS, SETTINGS, Architecture, TrainConfig
from model.network.feature_maps import MAX_STAGES, N_BESIDE


class Model(StrictModel):
    """Architecture of the VAE, which is the same in all trials."""

    architecture: Architecture = Field(
        default=SETTINGS["architecture"].default, description=SETTINGS["architecture"].description
    )
    channels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=SETTINGS["channels"].default, max_length=MAX_STAGES, description=SETTINGS["channels"].description
    )
    linear_path: bool = Field(default=SETTINGS["linear_path"].default, description=SETTINGS["linear_path"].description)
    pca_start: bool = Field(default=SETTINGS["pca_start"].default, description=SETTINGS["pca_start"].description)
    skip_learning_rate: float = Field(
        default=SETTINGS["skip_learning_rate"].default,
        gt=0,
        le=1,
        description=SETTINGS["skip_learning_rate"].description,
    )

    @field_validator("channels")
    @classmethod
    def _of_the_architecture(cls, channels: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        architecture = info.data.get("architecture")
        if architecture is None:
            return channels
        if architecture == "linear_skip" and 0 < len(channels) < N_BESIDE:
            raise PydanticCustomError("too_few", f"must have {N_BESIDE} or more values with architecture linear_skip")
        return channels or DEFAULT_CHANNELS[architecture]


def _tag(value: object) -> str:
    return "<word>" if isinstance(value, str) else "<value>"


def _number_tag(value: object) -> str:
    return "<word beside a number>" if isinstance(value, str) else "<value>"


_Positive = Annotated[int, Field(ge=1), Tag("<value>")]
# A number of epochs, or a length that follows from images, machine and budget.
Epochs = Annotated[_Positive | Annotated[Literal["auto"], Tag("<word>")], Discriminator(_tag)]
_WarmupEpochs = Annotated[
    Annotated[NonNegative, Tag("<value>")] | Annotated[Literal["auto"], Tag("<word beside a number>")],
    Discriminator(_number_tag),
]


class Training(StrictModel):
    """Length of a trial, and the device and number format that it runs in."""

    epochs: Epochs = Field(
        default="auto",
        description="Length of a trial, in epochs, or auto: a tenth of what the time of the call that creates the "
        "study affords on its machine, from 3 to 40 epochs; without a time limit, as with 30 minutes.",
    )
    report_every: float = Field(
        default=1.0,
        ge=0.01,
        le=1,
        description="Epochs between two reports of val_bpd; a trial can be pruned, paused or stopped at each.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Number format of the convolutions; auto is bfloat16 if the processor or GPU computes with it "
        "natively, otherwise float32.",
    )
    device: str = Field(
        default="auto", description="cpu, cuda, cuda:N, mps, or auto: the first available of CUDA, MPS and the CPU."
    )
    compile: bool = Field(
        default=False,
        description="Compile the convolutions with torch.compile, on CUDA only; on a CPU it gained nothing.",
    )

    @property
    def n_epochs(self) -> int:
        """Length of a trial of a study that exists: `auto` was replaced when the study was created."""
        assert self.epochs != "auto"
        return self.epochs

    @property
    def n_reports(self) -> int:
        """Number of report points of a whole trial."""
        return self._length.n_reports

    def epoch_at(self, report: int) -> float:
        """Return the epochs of images that a trial has seen at report point 0, 1, 2, ..."""
        return self._length.epoch_at(report)

    @property
    def _length(self) -> TrainConfig:
        return TrainConfig(epochs=self.n_epochs, report_every=self.report_every)


class Budget(StrictModel):
    """Number of trials and time; at least one of the two must be given."""

    trials: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Configurations that the study tries over all calls, including pruned ones; trials that continue "
        "or confirm a configuration do not count.",
    )
    timeout_minutes: Positive | None = Field(
        default=None, description="Duration of one call, in minutes; required if trials is null."
    )
    patience: Positive | None = Field(
        default=None,
        description="Start no new configuration once so many further minutes are expected to lower the best score by "
        "less than 0.003 bits per dimension; for sampler curves and one objective.",
    )

    @field_validator("timeout_minutes")
    @classmethod
    def _bounded(cls, minutes: float | None, info: ValidationInfo) -> float | None:
        if minutes is None and info.data.get("trials", 1) is None:
            raise PydanticCustomError(ACROSS_KEYS, "must be a number where trials is null")
        return minutes


class Sampler(StrictModel):
    """Algorithm that chooses the values of the next trial."""

    name: Literal["curves", "tpe", "gp", "random"] = Field(
        default="curves",
        description="curves: a Gaussian process of learning curves, which also predicts the final score of paused "
        "trials, and where it expects nothing new, every other time tpe; tpe: the tree-structured Parzen estimator "
        "(Bergstra et al. 2011), also used instead of curves with two objectives; gp: a Gaussian process of finished "
        "trials, with expected improvement; or random.",
    )


class Pruner(StrictModel):
    """Algorithm that ends or pauses unpromising trials."""

    name: Literal["halving", "median", "none"] = Field(
        default="halving",
        description="halving: pause a trial unless its score is among the best 1 in reduction_factor at its rung, and "
        "continue it once it is and can still win (Li et al. 2020); median: stop a trial for good if its best score so "
        "far is worse than the median of the others at the same point; or none, which is always used with two "
        "objectives.",
    )
    startup_trials: int = Field(
        default=3, ge=1, description="Number of finished trials before the first trial is pruned; median only."
    )
    warmup_epochs: _WarmupEpochs = Field(
        default="auto",
        description="Epoch before which no trial is pruned, with halving the first rung; or auto: a quarter of a "
        "trial's length.",
    )
    reduction_factor: int = Field(
        default=3, ge=2, description="Each rung promotes the best 1 in this many trials; halving only."
    )
    rung_spacing: int = Field(
        default=2, ge=2, description="Ratio of the epochs of a rung and of the rung before it; halving only."
    )

    def first_epoch(self, n_epochs: int) -> float:
        """Return `warmup_epochs` for trials of `n_epochs` epochs, with `auto` replaced."""
        return n_epochs / 4 if self.warmup_epochs == "auto" else self.warmup_epochs


class Confirmation(StrictModel):
    """Repetition of the best configurations with new seeds, after the search; their means decide which is the best."""

    top: int = Field(
        default=3,
        ge=0,
        description="At most so many of the best are repeated; 0 for none, which always holds with two objectives.",
    )
    seeds: int = Field(default=2, ge=1, description="New seeds for each of these configurations, at most.")


Objective = Literal["val_bpd", "latent_dim", "seconds_per_epoch"]


def _led_by_the_score(objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
    if len(set(objectives)) < len(objectives):
        raise PydanticCustomError("objectives", "must not repeat a value")
    if objectives[0] != "val_bpd":
        raise PydanticCustomError("objectives", "must begin with val_bpd")
    return objectives


# Every objective is minimised.
Objectives = Annotated[tuple[Objective, ...], Field(min_length=1, max_length=2), AfterValidator(_led_by_the_score)]


Interval = int | Literal["log"]
FrameInterval = Annotated[_Positive | Annotated[Literal["log"], Tag("<word>")], Discriminator(_tag)]
# At fewer frames a second, the film of a training of 20 epochs would last for minutes.
SLOWEST_FPS, FASTEST_FPS = 0.1, 60.0
FramesPerSecond = Annotated[float, Field(ge=SLOWEST_FPS, le=FASTEST_FPS)]


class Retrain(StrictModel):
    """Final training of the best trial."""

    epochs: Epochs = Field(
        default="auto",
        description="Length of the training, in epochs, or auto: that of a trial, or up to the epoch at which the "
        "chosen trial's score was lower than at its end, if by more than 0.01.",
    )
    seed: Seed = Field(
        default=1000, description="Seed of this training; another than the trial's, so that a lucky seed does not help."
    )
    importance_samples: int = Field(
        default=64,
        ge=1,
        description="Samples per image of the importance-weighted bound on the test split, tighter than the ELBO.",
    )
    reconstruction_interval: FrameInterval = Field(
        default=1,
        description="Epochs between two frames of the animation, or log: spaced logarithmically, dense at first.",
    )
    fps: FramesPerSecond = Field(default=2.0, description="Frames per second of the animation.")
