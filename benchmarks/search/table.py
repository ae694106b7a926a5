"""A table of real learning curves: quasi-random configurations of one search space, trained in full.

One line of JSON a run, added as it comes: what was interrupted goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from optuna.distributions import BaseDistribution

from benchmarks.jsonl import read
from benchmarks.search.epoch_seconds import Timing, read_timings
from benchmarks.tables import RESULTS
from hpo.config.hyperparameters import Choices, Hyperparameters, Range
from hpo.config.search_space import distributions, searched
from model.config import Architecture, TrainConfig

Images = Literal["cifar10", "sample"]
TableName = Literal["cifar10", "sample", "plain", "long"]
# Of the tables on which searches are replayed: as many as the device at hand had time for, with all of CIFAR-10.
N_EPOCHS = 8
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Curve:
    """One run: scores after each epoch, and what the epoch took on the device that it was trained on, in seconds.

    Evaluation is included; of models that were trained side by side, each has its share. `val_bpd` is shorter than
    the table's number of epochs where the run diverged.
    """

    index: int
    seed: int
    values: dict[str, Any]
    val_bpd: tuple[float, ...]
    val_rate_nats: tuple[float, ...]
    val_mse: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class CurveTable:
    """Table of the learning curves of one network, in one search space, on one set of images.

    The best quarter, by seed 0, is trained with every seed. Architecture and space are written out, since those of a
    table do not follow later defaults.
    """

    name: TableName
    path: Path
    source: Images
    n_configurations: int
    seeds: tuple[int, ...]
    architecture: Architecture
    hyperparameters: Hyperparameters
    n_epochs: int = N_EPOCHS

    @property
    def space(self) -> dict[str, BaseDistribution]:
        """The search space as Optuna's samplers take it."""
        return distributions(self.hyperparameters)

    def read(self) -> list[Curve]:
        """Every run so far, by configuration and seed."""
        runs = {(line["index"], line["seed"]): line for line in read(self.path)}
        return [_curve(runs[key]) for key in sorted(runs)]

    def train_config(self, index: int, seed: int) -> TrainConfig:
        """Return the training configuration of a run; no two runs share their random numbers."""
        return TrainConfig(
            **{**self.hyperparameters.fixed(), **configuration(index, self.hyperparameters)},
            epochs=self.n_epochs,
            seed=10 * index + seed,
            architecture=self.architecture,
        )

    def timings(self, curves: Sequence[Curve]) -> list[Timing]:
        """Return what an epoch takes on one core: as timed apart for models that were trained side by side on a GPU."""
        if self.name == "cifar10":
            return read_timings()
        sizes = ((curve.values["batch_size"], curve.values["latent_dim"], curve.seconds) for curve in curves)
        return [Timing(batch_size, latent_dim, mean(seconds)) for batch_size, latent_dim, seconds in sizes if seconds]

    def outstanding(self, curves: Sequence[Curve]) -> list[tuple[int, int]]:
        """(configuration, seed) of runs not made yet: all configurations once, then the best quarter again."""
        done = {(curve.index, curve.seed) for curve in curves}
        first, *further = self.seeds
        missing = [(index, first) for index in range(self.n_configurations) if (index, first) not in done]
        if missing:
            return missing
        whole = [curve for curve in curves if curve.seed == first and len(curve.val_bpd) == self.n_epochs]
        best = sorted(whole, key=lambda curve: curve.val_bpd[-1])[: self.n_configurations // 4]
        return [run for seed in further for curve in best if (run := (curve.index, seed)) not in done]


CIFAR10 = CurveTable(
    name="cifar10",
    path=RESULTS / "search_curves.jsonl",
    source="cifar10",
    n_configurations=200,
    seeds=SEEDS,
    architecture="norm_free",
    hyperparameters=Hyperparameters(
        beta=Range[float](low=0.3, high=3.0, log=True),
        latent_dim=Range[int](low=32, high=512, log=True),
        learning_rate=Range[float](low=3e-4, high=1e-2, log=True),
        batch_size=Choices[int](choices=(16, 32, 64, 128)),
        schedule="cosine",
        warmup_epochs=0.2,
        horizontal_flip=False,
    ),
)
# The bundled sample, in the default space of its number of images when the table was begun.
SAMPLE = CurveTable(
    name="sample",
    path=RESULTS / "search_curves_sample.jsonl",
    source="sample",
    n_configurations=48,
    seeds=SEEDS[:2],
    architecture="linear_skip",
    hyperparameters=Hyperparameters(
        beta=Range[float](low=0.3, high=3.0, log=True),
        latent_dim=Range[int](low=28, high=450, log=True),
        learning_rate=Range[float](low=1e-3, high=3e-2, log=True),
        batch_size=Choices[int](choices=(32, 64, 128)),
        schedule="schedule_free",
        warmup_epochs=1.0,
        max_shift=1,
    ),
)
# The tutorial's network, on the sample: another task, with other curves.
PLAIN = replace(
    SAMPLE,
    name="plain",
    path=RESULTS / "search_curves_plain.jsonl",
    architecture="plain",
    hyperparameters=SAMPLE.hyperparameters.model_copy(
        update={"learning_rate": Range[float](low=3e-4, high=1e-2, log=True), "max_shift": 0, "horizontal_flip": False}
    ),
)
# The default study: its network, space, schedule and length, with all of CIFAR-10. Not yet complete.
LONG = CurveTable(
    name="long",
    path=RESULTS / "search_curves_long.jsonl",
    source="cifar10",
    n_configurations=48,
    seeds=SEEDS[:2],
    architecture="linear_skip",
    hyperparameters=Hyperparameters(
        beta=Range[float](low=0.3, high=3.0, log=True),
        latent_dim=Range[int](low=32, high=512, log=True),
        learning_rate=Range[float](low=1e-3, high=3e-2, log=True),
        batch_size=Choices[int](choices=(32, 64, 128)),
        schedule="schedule_free",
        warmup_epochs=0.2,
    ),
    n_epochs=20,
)
TABLES: dict[str, CurveTable] = {table.name: table for table in (CIFAR10, SAMPLE, PLAIN, LONG)}
# Those that searches are replayed on.
REPLAYED = (CIFAR10, SAMPLE, PLAIN)


def configuration(index: int, hyperparameters: Hyperparameters) -> dict[str, Any]:
    """The values of configuration `index`: a point of a scrambled Sobol sequence (Owen 1998) in the space."""
    entries = dict(searched(hyperparameters))
    shares = _points(len(entries))[index]
    return {name: _at(entry, float(share)) for (name, entry), share in zip(entries.items(), shares, strict=True)}


@cache
def _points(n_dimensions: int) -> Any:
    from scipy.stats import qmc

    # A power of two, of which the first are taken.
    return qmc.Sobol(d=n_dimensions, rng=0).random_base2(8)


def _at(entry: Any, share: float) -> Any:
    if isinstance(entry, Choices):
        return entry.choices[int(share * len(entry.choices))]
    low, high = float(entry.low), float(entry.high)
    value = low * (high / low) ** share if entry.log else low + (high - low) * share
    return round(value) if isinstance(entry.low, int) else float(f"{value:.6g}")


def _curve(line: dict[str, Any]) -> Curve:
    names = ("val_bpd", "val_rate_nats", "val_mse", "seconds")
    return Curve(line["index"], line["seed"], line["values"], **{name: tuple(line[name]) for name in names})
