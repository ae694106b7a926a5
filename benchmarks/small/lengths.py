"""Lengths of a retraining that would overfit: `python -m benchmarks.small.lengths`. Give it again to go on.

One thread. Each case is trained at full length as a trial would be. Two ways to retrain it with new seeds are compared
with another training at full length: as many epochs as the trial needed for its lowest score, with a schedule of this
length (`retrain.epochs: auto`), or the full length, of which the epoch that validates best is kept.
"""

from dataclasses import dataclass, field, replace
from statistics import mean
from typing import Any

import torch

from benchmarks.jsonl import append, read
from benchmarks.machine import describe, find_machine
from benchmarks.small.regularisers import subset
from benchmarks.tables import RESULTS
from hpo.analysis.earlier_best import earlier_best
from model.config import TrainConfig
from model.data.cifar10 import load_cifar10
from model.data.images import ImageData, LabelledImages
from model.device import Runtime
from model.scoring.evaluation import evaluate
from model.training.initialization import untrained_model
from model.training.train_state import TrainState
from model.training.training_loop import train

RUNS, SEEDS = RESULTS / "lengths.jsonl", (1000, 1001)


@dataclass(frozen=True)
class Case:
    """Number of training images, length of the trial, and hyperparameters beside the default's."""

    n_train: int
    n_epochs: int
    settings: dict[str, Any] = field(default_factory=dict)


CASES = {
    "1,000 images": Case(1_000, 40),
    "1,000 images, not mirrored": Case(1_000, 40, {"horizontal_flip": False}),
    "1,000 images, shifted, learning rate 2e-2": Case(1_000, 40, {"max_shift": 1, "learning_rate": 2e-2}),
    "4,500 images, not mirrored": Case(4_500, 20, {"horizontal_flip": False}),
}


def main() -> None:
    """Train what has not been trained yet."""
    from benchmarks.small.page import write_page

    runtime, root = find_machine("cpu")
    torch.set_num_threads(1)
    data = load_cifar10(root)
    for name, case in CASES.items():
        if not any(run["case"] == name for run in read(RUNS)):
            result = compare(case, subset(data, case.n_train), runtime)
            append(RUNS, {"case": name, **result, **describe(runtime)})
    write_page()


def compare(case: Case, data: ImageData, runtime: Runtime) -> dict[str, Any]:
    """Return the trial's scores, and the mean scores of the three ways over SEEDS.

    The first half of the validation images chooses lengths and epochs; the other half scores the three ways.
    """
    trial = _curve(case.settings, case.n_epochs, 0, data, runtime)
    better = earlier_best([{"epoch": epoch, "val_bpd": val_bpd} for epoch, val_bpd, _ in trial])
    n_epochs = max(1, round(better["epoch"])) if better else case.n_epochs
    full = [_curve(case.settings, case.n_epochs, seed, data, runtime) for seed in SEEDS]
    shorter = [_curve(case.settings, n_epochs, seed, data, runtime) for seed in SEEDS] if better else full
    return {
        "n_epochs": n_epochs,
        "trial_end": trial[-1][1],
        "trial_lowest": min(val_bpd for _, val_bpd, _ in trial),
        "full": mean(curve[-1][2] for curve in full),
        "shorter": mean(curve[-1][2] for curve in shorter),
        "best_epoch": mean(min(curve, key=lambda report: report[1])[2] for curve in full),
    }


def _curve(
    settings: dict[str, Any], epochs: int, seed: int, data: ImageData, runtime: Runtime
) -> list[tuple[float, float, float]]:
    """Train; return each report's epoch, and its scores on the two halves of the validation images."""
    config = TrainConfig(
        **{"learning_rate": 8e-3, "schedule": "cosine", "warmup_epochs": 1.0, "latent_dim": 96, **settings},
        epochs=epochs,
        seed=seed,
    )
    images, labels = data.validation.images, data.validation.labels
    half = len(images) // 2
    choosing = replace(data, validation=LabelledImages(images[:half], labels[:half]))
    state = TrainState(config, runtime, untrained_model(config))
    return [
        (metrics.epoch, metrics.val_bpd, evaluate(state.model, images[half:], metrics.sigma, runtime).bpd)
        for metrics in train(state, choosing)
    ]


if __name__ == "__main__":
    main()
