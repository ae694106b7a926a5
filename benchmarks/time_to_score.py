"""Time to a score: how long until a model is as good as the tutorial's after ten epochs.

`python -m benchmarks.time_to_score`: the tutorial's recipe (binary cross-entropy, batch normalisation, Adam at a
constant rate, its own loop) trains on our training split, and is scored as we score. Then our loop trains with the
default settings until a report's score is as low. Each is a process of its own; the times begin with it.
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import tables
from benchmarks.machine import describe, find_machine
from benchmarks.measure import LATENT_DIM

BATCH_SIZE = 64
N_REPETITIONS = 3
# Ours reports every 35 updates; evaluation is part of its time.
_REPORT_EVERY, _MAX_EPOCHS = 0.05, 10
OURS = {"ours": True, "ours, without pPCA first": False}


@dataclass(frozen=True)
class Row:
    """Score that was reached, after how many epochs, and the seconds until then; of these `start_s` before training."""

    name: str
    val_bpd: float
    epochs: float
    seconds: float
    start_s: float


def main(epochs: Annotated[int, typer.Option(min=1, help="Epochs of the tutorial's training.")] = 10) -> None:
    """Measure, and write it to benchmarks/results/ and benchmarks/RESULTS.md."""
    runtime, root = find_machine("auto")
    rows = [_in_a_process("textbook", str(root), str(epochs))]
    for name, pca_start in OURS.items():
        found = [
            _in_a_process("ours", str(root), str(rows[0].val_bpd), str(int(pca_start)), name)
            for _ in range(N_REPETITIONS)
        ]
        rows.append(sorted(found, key=lambda row: row.seconds)[N_REPETITIONS // 2])
    facts = describe(runtime) | {"latent_dim": LATENT_DIM, "batch_size": BATCH_SIZE, "repetitions": N_REPETITIONS}
    tables.write("time_to_score", facts, rows)
    typer.echo(tables.time_to_score(facts | {"rows": [asdict(row) for row in rows]}))


def _in_a_process(*arguments: str) -> Row:
    command = [sys.executable, "-m", "benchmarks.time_to_score", str(time.time()), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row = Row(**json.loads(done.stdout.splitlines()[-1]))
    typer.echo(f"{row.name}: {row.val_bpd:.4f} after {row.epochs:g} epochs, {row.seconds:.1f} s")
    return row


def train_textbook_to(epochs: int, root: Path, started: float) -> Row:
    """Train the tutorial's model on our training split; its score, and the seconds of training, scoring not counted."""
    from torch.utils.data import Subset

    from benchmarks.textbook import TextbookVAE, textbook_images, train_textbook
    from model.data.cifar10 import load_cifar10
    from model.device import resolve
    from model.scoring.evaluation import calibrate_sigma, evaluate

    dataset = textbook_images(root)
    images = Subset(dataset, _training_indices(dataset))
    network = TextbookVAE(LATENT_DIM)
    n_images = epochs * (len(images) // BATCH_SIZE) * BATCH_SIZE
    seen = train_textbook(network, images, BATCH_SIZE)
    next(seen)
    start_s = time.time() - started
    next(n for n in seen if n >= n_images)
    seconds = time.time() - started
    runtime, data, model = resolve("cpu", "float32"), load_cifar10(root), _scored(network)
    sigma = calibrate_sigma(model, data.train.images, runtime)
    bpd = evaluate(model, data.validation.images, sigma, runtime).bpd
    return Row("the tutorial's recipe", bpd, epochs, seconds, start_s)


def train_ours_below(target: float, root: Path, started: float, pca_start: bool, name: str) -> Row:
    """Train with the default settings until a report's score is at most `target`."""
    from model.config import TrainConfig
    from model.data.cifar10 import load_cifar10
    from model.device import resolve
    from model.training.train_state import TrainState
    from model.training.training_loop import train

    runtime = resolve()
    config = TrainConfig(
        latent_dim=LATENT_DIM,
        batch_size=BATCH_SIZE,
        epochs=_MAX_EPOCHS,
        report_every=_REPORT_EVERY,
        pca_start=pca_start,
    )
    data = load_cifar10(root).to(runtime.device)
    state = TrainState(config, runtime)
    start_s = time.time() - started
    reached = next((report for report in train(state, data) if report.val_bpd <= target), None)
    if reached is None:
        raise SystemExit(f"{name} did not reach {target:.4f} in {_MAX_EPOCHS} epochs")
    return Row(name, reached.val_bpd, reached.epoch, time.time() - started, start_s)


def _training_indices(dataset: Any) -> list[int]:
    """Return the numbers of those of CIFAR-10's 50,000 training images that are in our training split."""
    import torch

    from model.data.images import LabelledImages
    from model.data.splits import VALIDATION_SHARE, split_evenly

    labels = torch.tensor(dataset.targets)
    numbered = LabelledImages(torch.arange(len(labels)).view(-1, 1, 1, 1), labels)
    training, _ = split_evenly(numbered, VALIDATION_SHARE)
    indices: list[int] = training.images.flatten().tolist()
    return indices


def _scored(network: Any) -> Any:
    """The tutorial's model with the interface that `model.scoring.evaluation` reads."""
    import torch
    from torch import Tensor, nn

    class Scored(nn.Module):
        latent_dim = LATENT_DIM

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            features = self.network.encoder(x)
            mean, log_variance = self.network.mean(features), self.network.log_variance(features)
            z = mean + torch.exp(0.5 * log_variance) * noise
            return self.network.decoder(self.network.project(z)), mean, log_variance

    return Scored()


def _measure_here(started: float, kind: str, root: str, *arguments: str) -> Row:
    if kind == "textbook":
        (epochs,) = arguments
        return train_textbook_to(int(epochs), Path(root), started)
    target, pca_start, name = arguments
    return train_ours_below(float(target), Path(root), started, pca_start == "1", name)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        print(json.dumps(asdict(_measure_here(float(sys.argv[1]), *sys.argv[2:]))))
    else:
        typer.run(main)
