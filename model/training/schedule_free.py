"""Schedule-free Adam (Defazio et al. 2024, arXiv 2405.15682).

The rate is constant, and the averaged weights end as low as those of a rate that falls to zero
(benchmarks/SCHEDULES.md), at every length: a longer training continues a shorter one.

N weights.
"""

from typing import Any

import torch
from torch import Tensor

from model.training.adamw import AdamW

# Share of the average in the weights at which gradients are computed.
BETA = 0.9
# An average of so many updates at once costs little and scores the same (benchmarks/SCHEDULES.md); at the beginning of
# a training it takes every single one.
_MOST_AT_ONCE, _FEWEST_BEFORE = 8, 64


class ScheduleFreeAdam(AdamW):
    """Schedule-free Adam on packed weights.

    With z the weights that Adam without momentum would reach, x is the average of all z, and gradients are computed at
    y between them:

        z <- z - rate * g(y) / (sqrt(v) + epsilon)
        x <- (1 - c) x + c z,  c = rate² / (sum of rate² so far)
        y <- 0.9 x + 0.1 z

    As long as x is kept, y itself makes steps of 0.1 * rate, which is as fast as Adam: x takes several z at once. x is
    what is scored, drawn and saved. With parameter groups of different rates, c follows from the last group's.
    """

    def __init__(self, weights: Tensor, groups: list[dict[str, list[Tensor]]], beta2: float, *, fused: bool) -> None:
        """Create the optimizer of packed weights (N,); the parameter groups are parts of them."""
        super().__init__(groups, betas=(0.0, beta2), weight_decay=0.0, fused=fused)
        self._weights = weights.detach()
        # x while updates are made, y otherwise.
        self._other = self._weights.clone()
        self._n_updates, self._sum = 0, 0.0
        self._n_pending, self._pending = 0, 0.0
        self.register_step_post_hook(self._count_step)

    def begin(self) -> None:
        """Put the weights from x to y."""
        if self._n_updates:
            self._swap()
        else:
            self._other.copy_(self._weights)

    def end(self) -> None:
        """Put the weights to x, with all updates in it."""
        self._take_pending()
        self._swap()

    def state_dict(self) -> dict[str, Any]:
        """Return what a training needs in order to go on from x, after `end`. The momentum of fused Adam is none."""
        moments = [self.state[group["params"][0]] for group in self.param_groups]
        kept = [{name: value for name, value in each.items() if name != "exp_avg"} for each in moments]
        return {"y": self._other, "n_updates": self._n_updates, "sum": self._sum, "moments": kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict` has returned."""
        self._other.copy_(state_dict["y"])
        self._n_updates, self._sum = state_dict["n_updates"], state_dict["sum"]
        for group, kept in zip(self.param_groups, state_dict["moments"], strict=True):
            weights = group["params"][0]
            copied = {name: value.to(weights.device, copy=True) for name, value in kept.items()}
            # Empty before the first update.
            self.state[weights] = {"exp_avg": torch.zeros_like(weights), **copied} if copied else {}

    def _count_step(self, *_: object) -> None:
        rate = self.param_groups[-1]["lr"] / (1 - BETA)
        self._n_updates += 1
        self._n_pending += 1
        self._pending += rate**2
        if self._n_pending >= min(_MOST_AT_ONCE, 1 + self._n_updates // _FEWEST_BEFORE):
            self._take_pending()

    def _take_pending(self) -> None:
        """Let x take z, with the weight of the updates since it did so last."""
        if not self._n_pending:
            return
        self._sum += self._pending
        share = self._pending / self._sum / (1 - BETA)
        difference = self._weights - self._other
        self._other.add_(difference, alpha=share)
        self._weights.add_(difference, alpha=BETA * share)
        self._n_pending, self._pending = 0, 0.0

    def _swap(self) -> None:
        weights = self._weights.clone()
        self._weights.copy_(self._other)
        self._other.copy_(weights)
