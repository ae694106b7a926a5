"""Training loop: a generator that advances a training state and yields metrics at each report point.

B batch, C channels, H W pixels, Z latent.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.data.augmentation import draw_batch
from model.data.images import ImageData, to_unit
from model.errors import UserError
from model.scoring import elbo
from model.scoring.definitions import bits_per_dimension
from model.scoring.evaluation import Evaluation, calibrate_sigma, evaluate, measure_statistics
from model.training.batch_order import BatchOrder
from model.training.learning_rate_schedule import learning_rate_at
from model.training.packed_tensors import flattened
from model.training.pca_start import start_from_pca
from model.training.train_state import TrainState

# A run that has to skip more than every second update does not recover.
MAX_SKIPPED_SHARE = 0.5


class Diverged(UserError):
    """Error for a run that keeps producing values that are not finite; a lower learning rate is the usual remedy."""


@dataclass(frozen=True)
class EpochMetrics:
    """Metrics at a report point.

    Distortion and rate are in nats per image, bpd in bits per dimension, mse per pixel value. Training values are
    means over the updates since the last report (in training mode, with changing weights, and sigma at its optimum);
    grad_norm is the mean norm before clipping. images_per_second is the speed of training without validation;
    elapsed_s is the time since epoch 0, with validation.
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


def train(state: TrainState, data: ImageData) -> Iterator[EpochMetrics]:
    """Train to the last epoch of the state's configuration, yielding metrics at each report point.

    Between two yields the caller may report, prune, draw, save the state or stop.

    Args:
        state: advanced in place; a state that was loaded from a checkpoint continues where it was saved.
        data: images, on the device of the state's runtime.

    Returns: an iterator of metrics, one per report point that is still to come.

    Raises: Diverged: more than half of the updates since the last report were not finite, or the score is not finite.

    Example:
        >>> from model.device import resolve
        >>> state = model.TrainState(model.TrainConfig(epochs=2), resolve("cpu"))
        >>> for metrics in model.train(state, model.load_sample()):
        ...     print(f"epoch {metrics.epoch:g}: {metrics.val_bpd:.3f} bits per dimension")
    """
    config, n_train = state.config, len(data.train)
    for report in range(state.reports_done(n_train) + 1, config.n_reports + 1):
        start_from_pca(state, data.train.images)
        started = time.perf_counter()
        with state.updating():
            means = _train_until(state, data.train.images, config.step_at(report, n_train))
        if config.schedule == "schedule_free" and len(state.statistics):
            # Those of batch normalisation were measured with the weights between updates.
            measure_statistics(state.model, data.train.images, config.batch_size, state.runtime)
        sigma, validation = score_validation(state, data)
        if not math.isfinite(validation.bpd):
            raise Diverged(f"the validation score at epoch {config.epoch_at(report):g} is not finite")
        state.elapsed_s += time.perf_counter() - started
        yield _metrics(state, report, n_train, means, sigma, validation)


def score_validation(state: TrainState, data: ImageData) -> tuple[float, Evaluation]:
    """Calibrate sigma on training images, then score the validation split; return (sigma, evaluation)."""
    sigma = calibrate_sigma(state.model, data.train.images, state.runtime)
    return sigma, evaluate(state.model, data.validation.images, sigma, state.runtime)


@dataclass(frozen=True)
class _TrainingMeans:
    """Means over the finite updates between two reports."""

    mse: float
    rate_nats: float
    grad_norm: float
    images_per_second: float


def _train_until(state: TrainState, images: Tensor, last_step: int) -> _TrainingMeans:
    """Make the updates up to `last_step`.

    Raises: Diverged: more than MAX_SKIPPED_SHARE of them were not finite.
    """
    config, n_steps, started = state.config, last_step - state.step, time.perf_counter()
    order = BatchOrder(len(images), config.batch_size, config.seed, images.device)
    # Squared error, rate, gradient norm, finite updates: read once at the end, so that the device never waits.
    sums = torch.zeros(4, device=images.device)
    for step in range(state.step, last_step):
        learning_rate = learning_rate_at(config, step, len(images))
        batch = draw_batch(images, order.indices(step), config.horizontal_flip, config.max_shift, generator=state.noise)
        sums += _update(state, batch, learning_rate)
    squared_error, rate, grad_norm, n_finite = sums.tolist()
    seconds = time.perf_counter() - started
    state.step = last_step
    skipped = n_steps - round(n_finite)
    state.skipped_updates += skipped
    if skipped > MAX_SKIPPED_SHARE * n_steps:
        raise Diverged(f"{skipped} of {n_steps} updates were not finite by update {last_step}")
    mse = squared_error / n_finite / config.n_dims
    return _TrainingMeans(mse, rate / n_finite, grad_norm / n_finite, n_steps * config.batch_size / seconds)


def _update(state: TrainState, batch: Tensor, learning_rate: float) -> Tensor:
    """Make one Adam step on uint8 images (B, C, H, W), unless the gradient is not finite.

    Minimises distortion + beta * rate: D/2 log(MSE of the batch) or the binary cross-entropy, and the KL divergence.

    Returns: tensor of (mean squared error per image, mean rate, gradient norm, 1); all zeros if the step was skipped.
    """
    config, model = state.config, state.model.train()
    statistics_before = state.statistics.clone()
    x_BCHW = to_unit(batch)
    noise_BZ = torch.randn(len(x_BCHW), config.latent_dim, generator=state.noise, device=x_BCHW.device)
    with state.runtime.autocast():
        reconstruction_BCHW, mean_BZ, log_variance_BZ = model(x_BCHW, noise_BZ)
    errors_B = elbo.squared_error(x_BCHW, reconstruction_BCHW)
    rate = elbo.rate_per_dimension(mean_BZ, log_variance_BZ).sum(1).mean()
    if config.reconstruction == "gaussian":
        distortion = elbo.optimal_distortion_loss(errors_B, config.n_dims)
    else:
        distortion = functional.binary_cross_entropy(reconstruction_BCHW, x_BCHW, reduction="sum") / len(x_BCHW)
    gradients = torch.autograd.grad(distortion + config.beta * rate, state.parameters)
    grad_norm = nn.utils.get_total_norm(gradients)
    torch.cat([flattened(gradient) for gradient in gradients], out=state.gradients)
    state.gradients.mul_((config.max_grad_norm / (grad_norm + 1e-6)).clamp(max=1.0))
    finite = torch.isfinite(grad_norm)
    state.set_learning_rate(learning_rate)
    _step_if_finite(state.optimizer, finite)
    state.statistics.copy_(torch.where(finite, state.statistics, statistics_before))
    means = torch.stack([errors_B.mean(), rate, grad_norm, torch.ones_like(grad_norm)]).detach()
    return torch.where(finite, means, 0.0)


def _step_if_finite(optimizer: torch.optim.Optimizer, finite: Tensor) -> None:
    """Step the optimizer if `finite` (a boolean on its device) is true; leave it unchanged otherwise."""
    if optimizer.defaults["fused"]:
        # As GradScaler skips a step, on the device itself: weights, moments and step count do not change.
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        optimizer.step()
    elif finite:
        optimizer.step()


def _metrics(
    state: TrainState, report: int, n_train: int, means: _TrainingMeans, sigma: float, validation: Evaluation
) -> EpochMetrics:
    n_dims = state.config.n_dims
    squared_error = torch.tensor(means.mse * n_dims, dtype=torch.float64)
    train_distortion = float(elbo.gaussian_distortion(squared_error, elbo.optimal_sigma(means.mse), n_dims))
    return EpochMetrics(
        epoch=state.config.epoch_at(report),
        images_seen=state.step * state.config.batch_size,
        train_bpd=bits_per_dimension(train_distortion, means.rate_nats, n_dims),
        train_rate_nats=means.rate_nats,
        train_distortion_nats=train_distortion,
        train_mse=means.mse,
        val_bpd=validation.bpd,
        val_rate_nats=validation.rate_nats,
        val_distortion_nats=validation.distortion_nats,
        val_mse=validation.mse,
        sigma=sigma,
        learning_rate=learning_rate_at(state.config, state.step - 1, n_train),
        grad_norm=means.grad_norm,
        skipped_updates=state.skipped_updates,
        images_per_second=means.images_per_second,
        elapsed_s=state.elapsed_s,
    )
