"""Learning-rate schedules compared on the same configurations: `python -m benchmarks.search.schedules [N]`.

Half a cosine over the whole length, scored also with averaged weights; half a cosine over three epochs, which tells how
the long one ends; and three whose runs can be made longer: a constant rate with averaged weights, a constant rate with
cool-downs branched off (Hägele et al. 2024, arXiv 2405.18392), and schedule-free Adam (Defazio et al. 2024, arXiv
2405.15682). Every run is one line of JSON, added as it comes: what was interrupted goes on.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import Tensor

from benchmarks.jsonl import append, read
from benchmarks.machine import describe, find_machine
from benchmarks.search.schedules_page import write_page
from benchmarks.search.table import configuration
from benchmarks.tables import RESULTS
from hpo.config.default_search_space import default_search_space
from hpo.config.hyperparameters import Range
from model.config import TrainConfig
from model.data.augmentation import draw_batch
from model.data.images import ImageData
from model.device import Runtime
from model.training.batch_order import BatchOrder
from model.training.learning_rate_schedule import learning_rate_at
from model.training.pca_start import set_to_principal_components
from model.training.train_state import TrainState
from model.training.training_loop import _update, score_validation

CURVES = RESULTS / "schedule_curves.jsonl"
N_CONFIGURATIONS, N_IMAGES, N_EPOCHS = 12, 15_000, 20
RUNGS = (1, 2, 4, 8, 20)
# What is searched by default with all of CIFAR-10's training images, of the longer codes, near which searches end: over
# the whole range the latent dimension alone would decide the ranks.
LONGER_CODES = Range[int](low=256, high=512, log=True)
HYPERPARAMETERS = default_search_space(45_000).model_copy(update={"latent_dim": LONGER_CODES})
# Share of a run that its cool-down takes.
COOLDOWN_SHARE = 0.25
# Averages of the weights: exponential, over so many updates; and over so great a share of the run (Karras et al. 2024,
# arXiv 2312.02696, equation 4: the exponents belong to relative widths of 0.10 and 0.05).
_WINDOWS = {"average of 300 updates": 300}
_EXPONENTS = {"average, width 0.10": 6.94, "average, width 0.05": 16.97}
KINDS = ("cosine", "short cosine", "constant", "schedule-free")
# Length of a short cosine, as the default study's trials had it first.
N_SHORT_EPOCHS = 3


def main(n: Annotated[int, typer.Argument(help="Number of configurations.")] = N_CONFIGURATIONS) -> None:
    """Train whatever is missing in benchmarks/results/schedule_curves.jsonl, and write benchmarks/SCHEDULES.md."""
    from model.data.cifar10 import load_cifar10

    runtime, root = find_machine("auto")
    data = load_cifar10(root)
    fewer = replace(data.train, images=data.train.images[:N_IMAGES], labels=data.train.labels[:N_IMAGES])
    data = replace(data, train=fewer).to(runtime.device)
    for index in range(n):
        for kind in KINDS:
            done = {(line["index"], line["schedule"]) for line in read(CURVES)}
            if (index, kind) not in done:
                _train(index, kind, data, runtime, CURVES)
    write_page(CURVES)


def train_config(index: int) -> TrainConfig:
    """Return the training configuration `index`, with the schedule `constant`."""
    fixed = HYPERPARAMETERS.fixed() | {"schedule": "constant"}
    return TrainConfig(**{**fixed, **values(index)}, epochs=N_EPOCHS, seed=index)


def values(index: int) -> dict[str, Any]:
    """Return what is searched, as configuration `index` has it."""
    return configuration(index, HYPERPARAMETERS)


def _train(index: int, kind: str, data: ImageData, runtime: Runtime, path: Path) -> None:
    """Make one run, and add a line with the scores at each of RUNGS of every way in which it can be scored."""
    config = train_config(index)
    if kind in ("cosine", "short cosine"):
        config = replace(config, schedule="cosine", epochs=N_EPOCHS if kind == "cosine" else N_SHORT_EPOCHS)
    if kind == "schedule-free":
        config = replace(config, schedule="schedule_free")
    run = Run.begin(config, data, runtime)
    scores = _constant(run) if kind == "constant" else _plain(run, kind)
    val_bpd = dict(scores)
    line = {
        "index": index,
        "schedule": kind,
        "values": values(index),
        "epochs": list(_rungs(config)),
        "val_bpd": val_bpd,
        **describe(runtime),
    }
    append(path, line)
    for name, found in val_bpd.items():
        typer.echo(f"{index} {name}: {', '.join(f'{score:.4f}' for score in found)}")


@dataclass
class Run:
    """A training of its own state that is advanced to any update."""

    state: TrainState
    data: ImageData

    @classmethod
    def begin(cls, config: TrainConfig, data: ImageData, runtime: Runtime) -> "Run":
        """Create a run before its first update, with pPCA first."""
        state = TrainState(config, runtime)
        set_to_principal_components(state.model, data.train.images, alone=config.skip_learning_rate < 1)
        return cls(state, data)

    def steps(self, epochs: float) -> int:
        """Return the number of updates in so many epochs."""
        return round(epochs * len(self.data.train) / self.state.config.batch_size)

    def advance(
        self, last: int, rate_at: Callable[[int], float], after: Callable[[int], None] = lambda _: None
    ) -> None:
        """Make the updates up to `last`; `after` is called with the number of updates made, after each."""
        state, images = self.state, self.data.train.images
        config = state.config
        order = BatchOrder(len(images), config.batch_size, config.seed, images.device)
        with state.updating():
            for step in range(state.step, last):
                indices = order.indices(step)
                batch = draw_batch(images, indices, config.horizontal_flip, config.max_shift, generator=state.noise)
                _update(state, batch, rate_at(step))
                after(step + 1)
        state.step = last

    def score(self, weights: Tensor | None = None) -> float:
        """Return the validation score, with these weights if any in place of the run's own."""
        if weights is None:
            return score_validation(self.state, self.data)[1].bpd
        own = self.state.weights.detach().clone()
        self.state.weights.data.copy_(weights)
        score = self.score()
        self.state.weights.data.copy_(own)
        return score

    def branch(self) -> "Run":
        """Return a copy that goes on from here on its own."""
        state = TrainState(self.state.config, self.state.runtime)
        state.weights.data.copy_(self.state.weights)
        state.statistics.copy_(self.state.statistics)
        state.optimizer.load_state_dict(copy.deepcopy(self.state.optimizer.state_dict()))
        state.noise.set_state(self.state.noise.get_state())
        state.step = self.state.step
        return Run(state, self.data)


class Averages:
    """Averages of a run's weights: exponential by number of updates, and by share of the run."""

    def __init__(self, current: Tensor, windows: Mapping[str, int], exponents: Mapping[str, float]) -> None:
        self._current, self._windows, self._exponents = current.detach(), windows, exponents
        self.weights = {name: self._current.clone() for name in (*windows, *exponents)}

    def update(self, step: int) -> None:
        """Take the weights after `step` updates into every average."""
        for name, weights in self.weights.items():
            window, exponent = self._windows.get(name), self._exponents.get(name, 0.0)
            share = 1 / min(step, window) if window else 1 - (1 - 1 / step) ** (exponent + 1)
            weights.lerp_(self._current, share)


def _rungs(config: TrainConfig) -> tuple[int, ...]:
    return RUNGS if config.epochs == N_EPOCHS else (config.epochs,)


def _plain(run: Run, name: str) -> Iterator[tuple[str, list[float]]]:
    """Score one run at each rung; a cosine that was planned for its length and its averages, or schedule-free."""
    state = run.state
    averages = Averages(state.weights, *(({}, {}) if name == "schedule-free" else (_WINDOWS, _EXPONENTS)))
    found: dict[str, list[float]] = {each: [] for each in (name, *(f"{name}, {each}" for each in averages.weights))}
    for rung in _rungs(state.config):
        rate_at = partial(learning_rate_at, state.config, n_train=len(run.data.train))
        run.advance(run.steps(rung), rate_at, averages.update)
        found[name].append(run.score())
        for each, weights in averages.weights.items():
            found[f"{name}, {each}"].append(run.score(weights))
    yield from found.items()


def _constant(run: Run) -> Iterator[tuple[str, list[float]]]:
    """Score the run at a constant rate, its averages, and a cool-down before each rung."""
    state, config, n_train = run.state, run.state.config, len(run.data.train)
    averages = Averages(state.weights, _WINDOWS, _EXPONENTS)
    found: dict[str, list[float]] = {name: [] for name in ("constant", "cool-down", *averages.weights)}

    def rate_at(step: int) -> float:
        return learning_rate_at(config, step, n_train)

    for rung in RUNGS:
        first, last = run.steps(rung * (1 - COOLDOWN_SHARE)), run.steps(rung)
        run.advance(max(first, state.step), rate_at, averages.update)
        branch = run.branch()
        branch.advance(last, lambda step, first=first, last=last: rate_at(step) * _cooled(step, first, last))  # type: ignore[misc]
        found["cool-down"].append(branch.score())
        run.advance(last, rate_at, averages.update)
        found["constant"].append(run.score())
        for name, weights in averages.weights.items():
            found[name].append(run.score(weights))
    yield from found.items()


def _cooled(step: int, first: int, last: int) -> float:
    """Return the share of the rate in a cool-down: 1 - sqrt of the share of it that has passed (Hägele et al. 2024)."""
    return 1 - math.sqrt(max(0, step - first) / (last - first))


if __name__ == "__main__":
    typer.run(main)
