"""Training: a plain generator that advances a state and yields metrics at each report point.

B batch, C channels, H W pixels, Z latent.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import DIMENSIONS, TrainConfig
from model.data.images import ImageData, to_unit
from model.device import Runtime, seeded_generator
from model.errors import UserError
from model.network.vae import ConvVAE, compile_model
from model.scoring import elbo
from model.scoring.evaluation import Evaluation, calibrate_sigma, evaluate
from model.training.batch_order import BatchOrder
from model.training.initialization import untrained_model
from model.training.packed_tensors import aligned, flat, pack

# A stretch in which every second update had to be skipped is not going to recover.
MAX_SKIPPED_SHARE = 0.5
_ADAM_BETA1 = 0.9


class Diverged(UserError):
    """The run keeps producing values that are not finite: another learning rate, say, is called for."""


@dataclass(frozen=True)
class EpochMetrics:
    """What is known at a report point.

    Distortion and rate are in nats per image, bpd in bits per dimension, mse per pixel value. Training values are
    means over the stretch since the last report (in training mode, while the weights moved, sigma at its optimum);
    grad_norm is the mean norm before clipping; images_per_second counts training alone, elapsed_s all since epoch 0.
    """

    epoch: float
    images_seen: int
    train_bpd: float
    train_rate_nats: float
    train_distortion_nats: float
    train_mse: float
    val_bpd: float
    val_rate_nats: float
    val_distortion_nats: float
    val_mse: float
    sigma: float
    learning_rate: float
    grad_norm: float
    skipped_updates: int
    images_per_second: float
    elapsed_s: float


class TrainState:
    """Everything that changes while a model is trained: weights, optimizer, position, noise. Owned by the caller.

    All trained parameters are views of `weights`, all running statistics of `statistics`, of shape (N,) each, and
    likewise their gradients: one call then clips, steps or undoes. A copy of the model, or a moved one, is cut off from
    them.
    """

    def __init__(self, config: TrainConfig, runtime: Runtime, model: ConvVAE | None = None) -> None:
        """Begin with `model`, or with the untrained one that the configuration and its seed describe."""
        self.config = config
        self.runtime = runtime
        self.model = (model or untrained_model(config)).to(runtime.device)
        if runtime.compiled:
            compile_model(self.model)
        self.parameters = aligned(parameter for parameter in self.model.parameters() if parameter.requires_grad)
        self.weights = pack(self.parameters, runtime.device)
        self.gradients = self.weights.grad = torch.zeros_like(self.weights)
        statistics = [buffer for buffer in self.model.buffers() if buffer.is_floating_point()]
        self.statistics = pack(statistics, runtime.device)
        # Adam fused on MPS takes found_inf and does not heed it.
        fused = runtime.device.type in ("cpu", "cuda")
        betas = _ADAM_BETA1, config.adam_beta2
        self.optimizer = torch.optim.Adam([self.weights], lr=config.learning_rate, betas=betas, fused=fused)
        self.noise = seeded_generator(config.seed, 1, device=runtime.device)
        self.step = 0
        self.skipped_updates = 0
        self.elapsed_s = 0.0

    def reports_done(self, n_train: int) -> int:
        """How many report points lie behind."""
        reports = range(1, self.config.n_reports + 1)
        return sum(self.config.step_at(report, n_train) <= self.step for report in reports)


def train(state: TrainState, data: ImageData) -> Iterator[EpochMetrics]:
    """Advance `state` to the end of its configuration, yielding at each report point.

    Between two yields the caller may report, prune, draw, checkpoint or stop. `data` lies on the run's device.

    Raises: Diverged: half of the updates since the last report were not finite, or the score is not.
    """
    config, n_train = state.config, len(data.train)
    for report in range(state.reports_done(n_train) + 1, config.n_reports + 1):
        started = time.perf_counter()
        stretch = _train_stretch(state, data.train.images, config.step_at(report, n_train))
        sigma, validation = score_validation(state, data)
        if not math.isfinite(validation.bpd):
            raise Diverged(f"the validation score at epoch {config.epoch_at(report):g} is not finite")
        state.elapsed_s += time.perf_counter() - started
        yield _metrics(state, report, n_train, stretch, sigma, validation)


def score_validation(state: TrainState, data: ImageData) -> tuple[float, Evaluation]:
    """Calibrate sigma on training images, then score the validation split: (sigma, evaluation)."""
    sigma = calibrate_sigma(state.model, data.train.images, state.runtime)
    return sigma, evaluate(state.model, data.validation.images, sigma, state.runtime)


@dataclass(frozen=True)
class _Stretch:
    """Means over the finite updates between two reports."""

    mse: float
    rate_nats: float
    grad_norm: float
    images_per_second: float


def _train_stretch(state: TrainState, images: Tensor, last_step: int) -> _Stretch:
    config, n_steps, started = state.config, last_step - state.step, time.perf_counter()
    stream = BatchOrder(len(images), config.batch_size, config.seed, images.device)
    # Squared error, rate, gradient norm, updates made: read once, so that the device never waits.
    sums = torch.zeros(4, device=images.device)
    for step in range(state.step, last_step):
        learning_rate = config.learning_rate_at(step, len(images))
        sums += _update(state, images[stream.indices(step)], learning_rate)
    squared_error, rate, grad_norm, n_made = sums.tolist()
    seconds = time.perf_counter() - started
    state.step = last_step
    skipped = n_steps - round(n_made)
    state.skipped_updates += skipped
    if skipped > MAX_SKIPPED_SHARE * n_steps:
        raise Diverged(f"{skipped} of {n_steps} updates were not finite by update {last_step}")
    mse = squared_error / n_made / DIMENSIONS
    return _Stretch(mse, rate / n_made, grad_norm / n_made, n_steps * config.batch_size / seconds)


def _update(state: TrainState, batch: Tensor, learning_rate: float) -> Tensor:
    """One Adam step on uint8 images; return means of squared error, rate and gradient norm, and 1 (0s if skipped)."""
    config, model = state.config, state.model.train()
    statistics_before = state.statistics.clone()
    x_BCHW = to_unit(batch)
    noise_BZ = torch.randn(len(x_BCHW), config.latent_dim, generator=state.noise, device=x_BCHW.device)
    with state.runtime.autocast():
        reconstruction_BCHW, mean_BZ, log_variance_BZ = model(x_BCHW, noise_BZ)
    errors_B = elbo.squared_error(x_BCHW, reconstruction_BCHW)
    rate = elbo.rate_per_dimension(mean_BZ, log_variance_BZ).sum(1).mean()
    if config.reconstruction == "gaussian":
        distortion = elbo.optimal_distortion_loss(errors_B)
    else:
        distortion = functional.binary_cross_entropy(reconstruction_BCHW, x_BCHW, reduction="sum") / len(x_BCHW)
    gradients = torch.autograd.grad(distortion + config.beta * rate, state.parameters)
    grad_norm = nn.utils.get_total_norm(gradients)
    torch.cat([flat(gradient) for gradient in gradients], out=state.gradients)
    state.gradients.mul_((config.max_grad_norm / (grad_norm + 1e-6)).clamp(max=1.0))
    finite = torch.isfinite(grad_norm)
    _step_if_finite(state.optimizer, finite, learning_rate)
    state.statistics.copy_(torch.where(finite, state.statistics, statistics_before))
    means = torch.stack([errors_B.mean(), rate, grad_norm, torch.ones_like(grad_norm)]).detach()
    return torch.where(finite, means, 0.0)


def _step_if_finite(optimizer: torch.optim.Optimizer, finite: Tensor, learning_rate: float) -> None:
    optimizer.param_groups[0]["lr"] = learning_rate
    if optimizer.defaults["fused"]:
        # GradScaler's own way to leave out a step on the device itself: weights, moments and count stay as they are.
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        optimizer.step()
    elif finite:
        optimizer.step()


def _metrics(
    state: TrainState, report: int, n_train: int, stretch: _Stretch, sigma: float, validation: Evaluation
) -> EpochMetrics:
    error = torch.tensor(stretch.mse * DIMENSIONS, dtype=torch.float64)
    train_distortion = float(elbo.gaussian_distortion(error, elbo.optimal_sigma(stretch.mse)))
    return EpochMetrics(
        epoch=state.config.epoch_at(report),
        images_seen=state.step * state.config.batch_size,
        train_bpd=elbo.bits_per_dimension(train_distortion, stretch.rate_nats),
        train_rate_nats=stretch.rate_nats,
        train_distortion_nats=train_distortion,
        train_mse=stretch.mse,
        val_bpd=validation.bpd,
        val_rate_nats=validation.rate_nats,
        val_distortion_nats=validation.distortion_nats,
        val_mse=validation.mse,
        sigma=sigma,
        learning_rate=state.config.learning_rate_at(state.step - 1, n_train),
        grad_norm=stretch.grad_norm,
        skipped_updates=state.skipped_updates,
        images_per_second=stretch.images_per_second,
        elapsed_s=state.elapsed_s,
    )
