"""Training state: the model with its optimizer, position and noise generator."""

import torch
from torch import Tensor

from model.config import TrainConfig
from model.device import Runtime, seeded_generator
from model.network.vae import ConvVAE, compile_model
from model.training.adamw import AdamW
from model.training.initialization import untrained_model
from model.training.packed_tensors import pack, sorted_for_alignment

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
        betas = _ADAM_BETA1, config.adam_beta2
        groups = self._groups(sum(weight.numel() for weight in slow))
        self.optimizer = AdamW(groups, lr=config.learning_rate, betas=betas, weight_decay=0.0, fused=fused)
        self.noise = seeded_generator(config.seed, 1, device=runtime.device)
        self.step = 0
        # Not saved: a saved state has made updates.
        self.started_from_pca = False
        self.skipped_updates = 0
        self.elapsed_s = 0.0

    def set_learning_rate(self, learning_rate: float) -> None:
        """Set the learning rate of the next update."""
        for group, share in zip(self.optimizer.param_groups, self.rate_shares, strict=True):
            group["lr"] = share * learning_rate

    def _groups(self, n_first: int) -> list[dict[str, list[Tensor]]]:
        """Return the parameter groups: the first `n_first` weights, if any, and the others."""
        sizes = [size for size in (n_first, len(self.weights) - n_first) if size]
        groups = []
        for weights, gradients in zip(self.weights.split(sizes), self.gradients.split(sizes), strict=True):
            weights.grad = gradients
            groups.append({"params": [weights]})
        return groups

    def reports_done(self, n_train: int) -> int:
        """Count the report points that training has reached, with `n_train` training images."""
        reports = range(1, self.config.n_reports + 1)
        return sum(self.config.step_at(report, n_train) <= self.step for report in reports)
