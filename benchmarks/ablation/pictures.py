"""Before and after, side by side: `python -m benchmarks.ablation.pictures`, which trains what is not there yet.

The tutorial's model, the same with our objective and schedule, and ours, each at the values that were best for it.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import find_machine
from benchmarks.tables import RESULTS
from hpo.figures.arrays import Pixels
from hpo.figures.tile_sheet import Sheet, TileRow, save_sheet
from hpo.runs.latent_mixture import fit_mixture, mixture_samples
from hpo.storage.paths import RESULTS as RUNS
from hpo.storage.paths import RunPaths
from model.data.cifar10 import load_cifar10
from model.data.images import ImageData, as_pixels
from model.device import resolve
from model.network.vae import ConvVAE
from model.picture_inputs import fixed_images, prior_draws
from model.scoring.evaluation import decode, encode, reconstruct
from model.training.model_file import read_model

PICTURE = RESULTS / "before_after.png"
_EPOCHS, _SEED, _LATENT_DIM = 10, 1000, 128
_COMMON = (
    *("--latent-dim", str(_LATENT_DIM), "--epochs", str(_EPOCHS), "--schedule", "cosine", "--warmup-epochs", "0.2"),
    "--no-horizontal-flip",
)
_BEFORE = ("--architecture", "plain", "--adam-beta2", "0.999", "--learning-rate", "1e-3", "--schedule", "constant")
_WAYS = {
    "the tutorial's": (*_COMMON, *_BEFORE, "--warmup-epochs", "0", "--reconstruction", "bce"),
    "plain": (*_COMMON, "--architecture", "plain", "--learning-rate", "1e-3"),
    "ours": (*_COMMON, "--architecture", "norm_free", "--learning-rate", "2e-3"),
}
_N_SHOWN = 12


def main() -> None:
    """Train the three models where they are missing, then draw."""
    _, root = find_machine("cpu")
    data = load_cifar10(root)
    runs = {name: _trained(name) for name in _WAYS}
    save_sheet(_sheet(runs, data), PICTURE)


def _trained(name: str) -> RunPaths:
    run = RunPaths(RUNS / f"before-after-{name.replace(' ', '-').replace(chr(39), '')}")
    command = [sys.executable, "-m", "hpo", "train", *_WAYS[name], "--seed", str(_SEED), "--output", str(run.folder)]
    subprocess.run(command, check=True)
    return run


def _sheet(runs: dict[str, RunPaths], data: ImageData) -> Sheet:
    runtime, images = resolve("cpu"), fixed_images(data.validation, _N_SHOWN)
    draws = prior_draws(_LATENT_DIM)[:_N_SHOWN]
    models = {name: read_model(run.model).network for name, run in runs.items()}
    reconstructed = {name: as_pixels(reconstruct(model, images, runtime)) for name, model in models.items()}
    drawn = {name: as_pixels(decode(model, draws, runtime)) for name, model in models.items()}
    mixed = {name: _of_a_mixture(model, data) for name, model in models.items()}
    rows = (
        *_group("Validation images, reconstructed", {"originals": as_pixels(images)} | reconstructed),
        *_group("Draws of the prior", drawn),
        *_group("Draws of a mixture fitted to the codes of training images", mixed),
    )
    return Sheet(rows, f"Before and after: {_EPOCHS} epochs each, d = {_LATENT_DIM}", _note(runs), scale=2)


def _group(heading: str, pictures: dict[str, Pixels]) -> list[TileRow]:
    first = next(iter(pictures))
    return [
        TileRow(pixels, name, starts_group=name == first, headings=((0, heading),) if name == first else ())
        for name, pixels in pictures.items()
    ]


def _of_a_mixture(model: ConvVAE, data: ImageData) -> Pixels:
    runtime = resolve("cpu")
    means, _ = encode(model, data.train.images, runtime)
    codes = mixture_samples(fit_mixture(means.double().numpy()), _N_SHOWN)
    return as_pixels(decode(model, torch.from_numpy(np.asarray(codes)).float(), runtime))


def _note(runs: dict[str, RunPaths]) -> str:
    scores = {name: json.loads(Path(run.metrics_json).read_text())["val_bpd"] for name, run in runs.items()}
    told = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    return f"val_bpd: {told}. The same images, draws and noise in every row."


if __name__ == "__main__":
    main()
