"""Regularisers by the number of training images: `python -m benchmarks.small.regularisers`. Give it again to go on.

One thread; two calls in two shells share the work. Subsets of CIFAR-10's training images, scored on its validation
images.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.jsonl import append, read
from benchmarks.machine import describe, find_machine
from benchmarks.tables import RESULTS
from model.config import TrainConfig
from model.data.cifar10 import load_cifar10
from model.data.images import ImageData
from model.device import Runtime, seeded_generator
from model.scoring import ppca
from model.training.initialization import untrained_model
from model.training.train_state import TrainState
from model.training.training_loop import score_validation, train

RUNS = RESULTS / "regularisers.jsonl"
_SUBSET_SEED, _DROPOUT, _EMA_UPDATES = 99, 0.1, 200
Change = Callable[[TrainState], Callable[[], None] | None]


@dataclass(frozen=True)
class Size:
    """Number of training images, length of the code, and length of the training in epochs."""

    n_train: int
    latent_dim: int
    epochs: int


SIZES = (Size(1_000, 96, 40), Size(4_500, 128, 20), Size(15_000, 128, 10), Size(45_000, 128, 3))


def weight_decay(state: TrainState) -> None:
    """Multiply the weights by 1 - learning rate at each update (Loshchilov & Hutter 2019)."""
    for group in state.optimizer.param_groups:
        group["weight_decay"] = 1.0


def dropout(state: TrainState) -> None:
    """Set a tenth of the features that the code's mean is computed from to zero, in training."""

    def drop(layer: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (functional.dropout(inputs[0], _DROPOUT, layer.training),)

    state.model.encoder.mean.register_forward_pre_hook(drop)


def averaged_weights(state: TrainState) -> Callable[[], None]:
    """Score an exponential average of the weights over the last 200 updates instead of the last weights."""
    average: list[Tensor] = []

    def update(*_: object) -> None:
        # The first weights are those after training's first step.
        if not average:
            average.append(state.weights.detach().clone())
        average[0].lerp_(state.weights.detach(), 1 / _EMA_UPDATES)

    def take() -> None:
        state.weights.data.copy_(average[0])

    state.optimizer.register_step_post_hook(update)
    return take


@dataclass(frozen=True)
class Way:
    """Settings beside the default's, and a change of the training."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    change: Change | None = None


_SHIFTED = {"max_shift": 1}
_LINEAR_PATH = {"architecture": "norm_free", "linear_path": True, "learning_rate": 2e-3}
WAYS = (
    Way("nothing", {"horizontal_flip": False}),
    Way("flips"),
    Way("flips, shifts by 1", _SHIFTED),
    Way("flips, shifts by 2", {"max_shift": 2}),
    Way("flips, shifts by 1, weight decay 1", _SHIFTED, weight_decay),
    Way("flips, shifts by 1, half the channels of the convolutions", _SHIFTED | {"channels": (16, 48, 48)}),
    Way("flips, shifts by 1, dropout 0.1", _SHIFTED, dropout),
    Way("flips, shifts by 1, averaged weights", _SHIFTED, averaged_weights),
    Way("flips, shifts by 1, one learning rate: 2e-3", _SHIFTED | {"learning_rate": 2e-3, "skip_learning_rate": 1.0}),
    Way("flips, shifts by 1, norm_free with the linear path, 2e-3", _SHIFTED | _LINEAR_PATH),
)


def main() -> None:
    """Train what has not been trained yet."""
    from benchmarks.small.page import write_page

    runtime, root = find_machine("cpu")
    torch.set_num_threads(1)
    data = load_cifar10(root)
    for size in SIZES:
        for way in WAYS:
            if not any(_is(run, way, size) for run in read(RUNS)):
                append(RUNS, {"way": way.name, "n_train": size.n_train, **run_once(way, size, data, runtime)})
    write_page()


def _is(run: dict[str, Any], way: Way, size: Size) -> bool:
    return (run["way"], run["n_train"]) == (way.name, size.n_train)


def subset(data: ImageData, n_train: int) -> ImageData:
    """Return the data with so many training images, drawn by a fixed seed."""
    chosen = torch.randperm(len(data.train), generator=seeded_generator(_SUBSET_SEED))[:n_train].sort().values
    images = data.train.images[chosen].contiguous(memory_format=torch.channels_last)
    return replace(data, train=replace(data.train, images=images, labels=data.train.labels[chosen]))


def run_once(way: Way, size: Size, data: ImageData, runtime: Runtime) -> dict[str, Any]:
    """Train; return the learning curve, pPCA's score and the cost."""
    started, data = time.process_time(), subset(data, size.n_train)
    config = TrainConfig(
        **{
            **{"learning_rate": 8e-3, "schedule": "cosine", "warmup_epochs": 0.2},
            **{"latent_dim": size.latent_dim, "epochs": size.epochs},
            **way.settings,
        }
    )
    state = TrainState(config, runtime, untrained_model(config, data.train.images))
    torch.manual_seed(0)
    at_the_end = way.change(state) if way.change else None
    curve = [(metrics.epoch, metrics.val_bpd, metrics.train_bpd) for metrics in train(state, data)]
    val_bpd = curve[-1][1]
    if at_the_end:
        at_the_end()
        val_bpd = score_validation(state, data)[1].bpd
    cpu_seconds = round(time.process_time() - started)
    linear = ppca.score(ppca.fit(data.train.images), data.validation.images, [size.latent_dim])[size.latent_dim]
    scores = {"val_bpd": val_bpd, "ppca_bpd": linear, "lowest_val_bpd": min(score for _, score, _ in curve)}
    return {**scores, "train_bpd": curve[-1][2], "cpu_seconds": cpu_seconds, **describe(runtime)}


if __name__ == "__main__":
    main()
