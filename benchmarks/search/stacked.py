"""Models of one batch size trained side by side: `model.train`'s update with a leading dimension of models.

One model of this size leaves a data-centre GPU idle: its kernels are over before the next can be launched. Here every
kernel works for all of them, and a CUDA graph launches an update at once. Convolutions are batched matrix products of
patches; up to rounding, and but for the noise that is drawn, each model is trained as `model.train` trains it.
M models, B batch, H W pixels, h w half as many, C K channels, Z latent of the largest model, P parameters of it.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.search.stacked_layers import ALIGNED
from benchmarks.search.stacked_networks import StackedNetwork, matrices_of
from model.config import DIMENSIONS, TrainConfig
from model.data.images import to_unit
from model.device import Runtime, seeded_generator
from model.network.feature_maps import IMAGE_CHANNELS, IMAGE_SIZE
from model.network.vae import ConvVAE
from model.scoring import elbo
from model.scoring.definitions import bits_per_dimension
from model.scoring.evaluation import BATCH_SIZE, CALIBRATION_SEED, N_CALIBRATION, NOISE_SEED
from model.training.batch_order import BatchOrder
from model.training.initialization import untrained_model
from model.training.learning_rate_schedule import learning_rate_at
from model.training.pca_start import set_to_principal_components
from model.training.training_loop import MAX_SKIPPED_SHARE

_ADAM_BETA1, _ADAM_EPSILON = 0.9, 1e-8
# Settings in which the models of a stack do not differ.
_SHARED = (
    *("architecture", "channels", "pca_start", "skip_learning_rate", "horizontal_flip", "batch_size", "schedule"),
    *("warmup_epochs", "epochs", "report_every", "max_grad_norm", "adam_beta2"),
)


@dataclass(frozen=True)
class Scores:
    """One model's validation scores after an epoch; `seconds` is its share of what the stack took."""

    val_bpd: float
    val_rate_nats: float
    val_mse: float
    seconds: float


def can_be_stacked(config: TrainConfig) -> bool:
    """Return True if a stack trains such models as `model.train` does."""
    is_known = config.architecture in ("norm_free", "linear_skip") and config.schedule != "schedule_free"
    return is_known and config.reconstruction == "gaussian" and not config.linear_path and not config.max_shift


class Stack:
    """Weights, optimizer and position of M models. Padded latent dimensions have no weights, no noise and no rate."""

    def __init__(self, configs: Sequence[TrainConfig], images: Tensor, runtime: Runtime) -> None:
        """Begin with the models before their first update. They may differ in beta, latent size, rate and seed alone.

        `images`: training images, uint8 (N, 3, 32, 32), for those that begin with pPCA.
        """
        first = configs[0]
        assert all(getattr(config, name) == getattr(first, name) for config in configs for name in _SHARED)
        assert all(can_be_stacked(config) for config in configs)
        self.configs, self.runtime, device = configs, runtime, runtime.device
        self.network = StackedNetwork(first)
        largest = max(config.latent_dim for config in configs)
        self.latent_dim = largest + -largest % ALIGNED
        models = [matrices_of(_first_model(config, images), self.latent_dim) for config in configs]
        parts = [torch.stack(part) for part in zip(*models, strict=True)]
        self.shapes = [part.shape for part in parts]
        self.weights = torch.cat([part.flatten(1) for part in parts], 1).to(device)
        self.low = self.weights.to(self._dtype) if self._dtype != torch.float32 else self.weights
        self.moments = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        self.n_made = torch.zeros(len(configs), device=device)
        self.beta, self.learning_rate = (
            torch.tensor([getattr(config, name) for config in configs], device=device)
            for name in ("beta", "learning_rate")
        )
        self.rate_shares = _rate_shares(first, self.latent_dim).to(device)
        sizes = torch.tensor([config.latent_dim for config in configs])
        self.used = (torch.arange(self.latent_dim) < sizes[:, None, None]).float().to(device)
        self.adam = torch.compile(_adam, dynamic=True) if device.type == "cuda" else _adam

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.runtime.precision == "bfloat16" else torch.float32

    def matrices(self) -> list[Tensor]:
        """The weights in the precision that they are used in: views of `low`, each with a gradient of its own."""
        parts = self.low.split([shape.numel() // len(self.configs) for shape in self.shapes], 1)
        return [
            part.unflatten(1, shape[1:]).detach().requires_grad_()
            for part, shape in zip(parts, self.shapes, strict=True)
        ]

    def update(self, images: Tensor, noise_MBZ: Tensor, factor: Tensor) -> None:
        """One Adam step on uint8 images (M, B, 32, 32, 3), `factor` of shape (1,) times each learning rate."""
        matrices = self.matrices()
        x = to_unit(images)
        errors_MB, mean, log_variance = self.network.forward(matrices, x, noise_MBZ, self.used, self._dtype)
        mse_M = errors_MB.mean(1) / DIMENSIONS
        rate_M = elbo.rate_per_dimension(mean, log_variance).sum(2).mean(1)
        distortion_M = DIMENSIONS / 2 * torch.log(mse_M.clamp(min=elbo.DEQUANTIZATION_VARIANCE))
        gradients = torch.autograd.grad((distortion_M + self.beta * rate_M).sum(), matrices)
        gradient_MP = torch.cat([gradient.flatten(1) for gradient in gradients], 1)
        norm_M = torch.linalg.vector_norm(gradient_MP, dim=1, dtype=torch.float32)
        finite_M = torch.isfinite(norm_M)
        self.n_made.add_(finite_M)
        scale_M = (self.configs[0].max_grad_norm / (norm_M + 1e-6)).clamp(max=1.0)
        scale, finite, n_made = scale_M.unsqueeze(1), finite_M.unsqueeze(1), self.n_made.unsqueeze(1)
        rates = (factor * self.learning_rate).unsqueeze(1), self.rate_shares
        beta2 = self.configs[0].adam_beta2
        self.adam(self.weights, self.low, *self.moments, gradient_MP, scale, finite, n_made, *rates, beta2)


def train_stack(
    configs: Sequence[TrainConfig], train_images: Tensor, validation_images: Tensor, runtime: Runtime
) -> Iterator[list[Scores | None]]:
    """Train them to the end, yielding each model's scores after each report point, None from where it has diverged.

    Images are uint8 (N, 3, 32, 32) on the runtime's device.
    """
    stack, n_train = Stack(configs, train_images, runtime), len(train_images)
    updater, alive = _Updater(stack, _pixels_first(train_images)), [True] * len(configs)
    started = time.perf_counter()
    for report in range(1, configs[0].n_reports + 1):
        first, last = (configs[0].step_at(number, n_train) for number in (report - 1, report))
        before = stack.n_made.clone()
        updater.run(first, last)
        skipped = (last - first) - (stack.n_made - before)
        lost = (skipped > MAX_SKIPPED_SHARE * (last - first)).tolist()
        alive = [was and not gone for was, gone in zip(alive, lost, strict=True)]
        bpd, rate, mse = _score(stack, train_images, validation_images)
        ended = time.perf_counter()
        share, started = (ended - started) / len(configs), ended
        alive = [was and finite for was, finite in zip(alive, torch.isfinite(bpd).tolist(), strict=True)]
        rows = zip(alive, zip(bpd.tolist(), rate.tolist(), mse.tolist(), strict=True), strict=True)
        yield [Scores(*scored, share) if lives else None for lives, scored in rows]


class _Updater:
    """Makes updates one after another; on a GPU by a graph that finds batch and learning rate by itself."""

    def __init__(self, stack: Stack, images: Tensor) -> None:
        self.stack, self.images, self.device = stack, images, images.device
        config, n_train = stack.configs[0], len(images)
        self.streams = [
            BatchOrder(n_train, config.batch_size, each.seed, torch.device("cpu")) for each in stack.configs
        ]
        most = max(
            config.step_at(report, n_train) - config.step_at(report - 1, n_train)
            for report in range(1, config.n_reports + 1)
        )
        self.order = torch.zeros(most, len(stack.configs), config.batch_size, dtype=torch.int64, device=self.device)
        self.factors = torch.zeros(most, device=self.device)
        self.position = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.graph: torch.cuda.CUDAGraph | None = None
        if self.device.type == "cuda":
            self._capture()

    def run(self, first: int, last: int) -> None:
        """Make the updates first, ..., last - 1."""
        config, n = self.stack.configs[0], last - first
        orders = [stream.between(first, last) for stream in self.streams]
        self.order[:n] = torch.stack(orders, 1).to(self.device)
        factors = [learning_rate_at(config, step, len(self.images)) for step in range(first, last)]
        self.factors[:n] = torch.tensor(factors, device=self.device) / config.learning_rate
        self.position.zero_()
        for _ in range(n):
            if self.graph is None:
                self._update()
            else:
                self.graph.replay()

    def _update(self) -> None:
        batch = self.images[self.order.index_select(0, self.position)[0]]
        if self.stack.configs[0].horizontal_flip:
            batch = torch.where(draw_mirrored(self.stack)[:, :, None, None, None], batch.flip(3), batch)
        self.stack.update(batch, draw_noise(self.stack), self.factors.index_select(0, self.position))
        self.position += 1

    def _capture(self) -> None:
        stack = self.stack
        state = (stack.weights, stack.low, *stack.moments, stack.n_made, self.position)
        before = [tensor.clone() for tensor in state]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._update()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._update()
        for tensor, old in zip(state, before, strict=True):
            tensor.copy_(old)


def _first_model(config: TrainConfig, images: Tensor) -> ConvVAE:
    """The model before its first update, as `model.train` has it."""
    model = untrained_model(config)
    if config.starts_with_pca:
        set_to_principal_components(model, images, alone=config.skip_learning_rate < 1)
    return model


def _rate_shares(config: TrainConfig, latent_dim: int) -> Tensor:
    """Each weight's share of the learning rate, (P,); zero where latent dimensions are padded."""
    marked = untrained_model(config)
    for parameter in marked.parameters():
        nn.init.ones_(parameter)
    for weight in marked.skip_weights if config.starts_with_pca else ():
        nn.init.constant_(weight, config.skip_learning_rate)
    return torch.cat([part.flatten() for part in matrices_of(marked, latent_dim)])


def draw_mirrored(stack: Stack) -> Tensor:
    """Draw which images of a batch are mirrored, (M, B)."""
    return torch.rand(len(stack.configs), stack.configs[0].batch_size, device=stack.weights.device) < 0.5


def draw_noise(stack: Stack) -> Tensor:
    """Standard normal noise of a batch, (M, B, Z)."""
    size = (len(stack.configs), stack.configs[0].batch_size, stack.latent_dim)
    return torch.randn(size, device=stack.weights.device)


def _adam(
    weights: Tensor,
    low: Tensor,
    first: Tensor,
    second: Tensor,
    gradient: Tensor,
    scale: Tensor,
    finite: Tensor,
    n_made: Tensor,
    learning_rate: Tensor,
    rate_shares: Tensor,
    beta2: float,
) -> None:
    """Adam (Kingma & Ba 2015) in place, on (M, P) with (M, 1) of each model; what is not finite changes nothing.

    `rate_shares`, (P,), are the weights' shares of the learning rate.
    """
    gradient = gradient.float() * scale
    mean = torch.where(finite, first + (1 - _ADAM_BETA1) * (gradient - first), first)
    square = torch.where(finite, beta2 * second + (1 - beta2) * gradient * gradient, second)
    step = learning_rate * rate_shares / (1 - _ADAM_BETA1**n_made)
    root = torch.sqrt(square) / torch.sqrt(1 - beta2**n_made) + _ADAM_EPSILON
    updated = torch.where(finite, weights - step * mean / root, weights)
    first.copy_(mean)
    second.copy_(square)
    weights.copy_(updated)
    if low is not weights:
        low.copy_(updated)


@torch.no_grad()
def _score(stack: Stack, train_images: Tensor, validation_images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Validation bpd, rate in nats and mean squared error, each (M,): as `model.train.score_validation` has them."""
    shuffle = seeded_generator(CALIBRATION_SEED)
    subset = torch.randperm(len(train_images), generator=shuffle)[:N_CALIBRATION].sort().values
    calibration = _pixels_first(train_images[subset.to(train_images.device)])
    variance, _ = _run(stack, calibration, CALIBRATION_SEED)
    sigma = variance.clamp(min=elbo.DEQUANTIZATION_VARIANCE).sqrt()
    mse, rate = _run(stack, _pixels_first(validation_images), NOISE_SEED)
    parts = zip(mse * DIMENSIONS, sigma.tolist(), strict=True)
    distortion = torch.stack([elbo.gaussian_distortion(error, each) for error, each in parts])
    of_each = zip(distortion.tolist(), rate.tolist(), strict=True)
    return torch.tensor([bits_per_dimension(*pair) for pair in of_each]), rate, mse


def _run(stack: Stack, images: Tensor, noise_seed: int) -> tuple[Tensor, Tensor]:
    """Mean squared error per pixel value and rate in nats over (N, 32, 32, 3), each (M,) in float64 on the CPU."""
    device, n_images = images.device, len(images)
    noises = [
        functional.pad(
            torch.randn(
                n_images, each.latent_dim, generator=seeded_generator(noise_seed, device=device), device=device
            ),
            (0, stack.latent_dim - each.latent_dim),
        )
        for each in stack.configs
    ]
    errors = torch.zeros(len(noises), dtype=torch.float64, device=device)
    rates = torch.zeros_like(errors)
    matrices = stack.matrices()
    for batch, noise in zip(images.split(BATCH_SIZE), torch.stack(noises).split(BATCH_SIZE, 1), strict=True):
        x = to_unit(batch).expand(len(noises), *batch.shape)
        errors_MB, mean, log_variance = stack.network.forward(matrices, x, noise, stack.used, stack._dtype)
        errors += errors_MB.sum(1)
        rates += elbo.rate_per_dimension(mean, log_variance).flatten(1).sum(1)
    return (errors / n_images / DIMENSIONS).cpu(), (rates / n_images).cpu()


def _pixels_first(images: Tensor) -> Tensor:
    """(N, 3, 32, 32) as (N, 32, 32, 3), contiguous."""
    assert images.shape[1:] == (IMAGE_CHANNELS, IMAGE_SIZE, IMAGE_SIZE)
    return images.permute(0, 2, 3, 1).contiguous()
