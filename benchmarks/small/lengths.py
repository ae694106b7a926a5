"""Lengths of a retraining that would overfit: `python -m benchmarks.small.lengths`. Give it again to go on.

One thread. Each case is trained for 40 epochs as a trial would be. Two ways to retrain it with new seeds are compared
with training for 40 epochs again: as many epochs as the trial needed for its lowest score, with a schedule of this
length (`retrain.epochs: auto`), or 40 epochs whose weights are taken at the epoch that validates best.
"""

from dataclasses import replace
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

RUNS = RESULTS / "lengths.jsonl"
N_EPOCHS, SEEDS = 40, (1000, 1001)
# Number of training images, hyperparameters beside the default's.
CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "1,000 images, not mirrored, learning rate 8e-3": (1_000, {"horizontal_flip": False}),
    "1,000 images, learning rate 8e-3": (1_000, {}),
    "1,000 images, shifted, learning rate 2e-2": (1_000, {"max_shift": 1, "learning_rate": 2e-2}),
    "4,500 images, not mirrored, learning rate 8e-3": (4_500, {"horizontal_flip": False}),
    "4,500 images, learning rate 8e-3": (4_500, {}),
    "4,500 images, not mirrored, learning rate 2e-3": (4_500, {"horizontal_flip": False, "learning_rate": 2e-3}),
}


def main() -> None:
    """Train what has not been trained yet."""
    from benchmarks.small.page import write_page

    runtime, root = find_machine("cpu")
    torch.set_num_threads(1)
    data = load_cifar10(root)
    for name, (n_train, settings) in CASES.items():
        if not any(run["case"] == name for run in read(RUNS)):
            result = compare(settings, subset(data, n_train), runtime)
            append(RUNS, {"case": name, **result, **describe(runtime)})
    write_page()


def compare(settings: dict[str, Any], data: ImageData, runtime: Runtime) -> dict[str, Any]:
    """Return the trial's scores, and the mean scores of the three ways over SEEDS.

    The first half of the validation images chooses lengths and epochs; the other half scores the three ways.
    """
    trial = _curve(settings, N_EPOCHS, 0, data, runtime)
    better = earlier_best([{"epoch": epoch, "val_bpd": val_bpd} for epoch, val_bpd, _ in trial])
    n_epochs = max(1, round(better["epoch"])) if better else N_EPOCHS
    full = [_curve(settings, N_EPOCHS, seed, data, runtime) for seed in SEEDS]
    shorter = [_curve(settings, n_epochs, seed, data, runtime) for seed in SEEDS] if better else full
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
