"""Training state: the model with its optimizer, position and noise generator."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from model.config import TrainConfig
from model.device import Runtime, seeded_generator
from model.network.vae import ConvVAE, compile_model
from model.training.adamw import AdamW
from model.training.initialization import untrained_model
from model.training.packed_tensors import pack, sorted_for_alignment
from model.training.schedule_free import BETA, ScheduleFreeAdam

_ADAM_BETA1 = 0.9


class TrainState:
    """Everything that changes during training: weights, optimizer, position, noise. The caller owns it.

    All trained parameters are views of `weights`, their gradients of `gradients`, and all running statistics of
    `statistics`, of shape (N,) each: one call then clips, steps or restores all of them. A copy of the model, or a
    model that was moved to another device, no longer shares this memory. `rate_shares` has for each parameter group of
    the optimizer its share of the learning rate.
    """

    def __init__(self, config: TrainConfig, runtime: Runtime, model: ConvVAE | None = None) -> None:
        """Create the state before the first update.

        Args:
            config: hyperparameters and seed.
            runtime: device and precision, from `model.device.resolve`.
            model: initial model; None takes `untrained_model(config)`, whose linear path, if any, is still zero.
        """
        self.config = config
        self.runtime = runtime
        self.model = (model or untrained_model(config)).to(runtime.device)
        if runtime.compiled:
            compile_model(self.model)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        share = config.skip_learning_rate if config.starts_with_pca else 1.0
        slow = self.model.skip_weights if share < 1 else []
        others = [parameter for parameter in trained if all(parameter is not weight for weight in slow)]
        self.parameters = [*slow, *sorted_for_alignment(others)]
        self.weights = pack(self.parameters, runtime.device)
        self.gradients = torch.zeros_like(self.weights)
        self.rate_shares = (share, 1.0) if slow else (1.0,)
        statistics = [buffer for buffer in self.model.buffers() if buffer.is_floating_point()]
        self.statistics = pack(statistics, runtime.device)
        # On MPS, fused Adam accepts found_inf and ignores it.
        fused = runtime.device.type in ("cpu", "cuda")
        self.optimizer = self._make_optimizer(sum(weight.numel() for weight in slow), fused=fused)
        self.noise = seeded_generator(config.seed, 1, device=runtime.device)
        self.step = 0
        # Not saved: a saved state has made updates.
        self.started_from_pca = False
        self.skipped_updates = 0
        self.elapsed_s = 0.0

    def set_learning_rate(self, learning_rate: float) -> None:
        """Set the learning rate of the next update."""
        step = 1 - BETA if isinstance(self.optimizer, ScheduleFreeAdam) else 1.0
        for group, share in zip(self.optimizer.param_groups, self.rate_shares, strict=True):
            group["lr"] = step * share * learning_rate

    @contextmanager
    def updating(self) -> Iterator[None]:
        """Let updates be made within the block. With schedule-free Adam, the weights are its averages outside of it."""
        if not isinstance(self.optimizer, ScheduleFreeAdam):
            yield
            return
        self.optimizer.begin()
        try:
            yield
        finally:
            self.optimizer.end()

    def _make_optimizer(self, n_slow: int, *, fused: bool) -> AdamW:
        """Create the optimizer, with parameter groups of the first `n_slow` weights, if any, and of the others."""
        config, sizes = self.config, [size for size in (n_slow, len(self.weights) - n_slow) if size]
        groups = []
        for weights, gradients in zip(self.weights.split(sizes), self.gradients.split(sizes), strict=True):
            weights.grad = gradients
            groups.append({"params": [weights]})
        if config.schedule == "schedule_free":
            return ScheduleFreeAdam(self.weights, groups, config.adam_beta2, fused=fused)
        betas = _ADAM_BETA1, config.adam_beta2
        return AdamW(groups, lr=config.learning_rate, betas=betas, weight_decay=0.0, fused=fused)

    def reports_done(self, n_train: int) -> int:
        """Count the report points that training has reached, with `n_train` training images."""
        reports = range(1, self.config.n_reports + 1)
        return sum(self.config.step_at(report, n_train) <= self.step for report in reports)
