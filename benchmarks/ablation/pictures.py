"""Before and after, side by side: `python -m benchmarks.ablation.pictures`, which trains what is not there yet.

The tutorial's model, the same with our objective and schedule, and norm_free; and norm_free beside linear_skip, by the
length of the code. Each has the values that were best for it.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.ablation.rows import PICTURE_DIMS
from benchmarks.machine import find_machine
from benchmarks.tables import RESULTS
from hpo.figures.arrays import Pixels
from hpo.figures.tile_sheet import Sheet, TileRow, save_sheet
from hpo.runs.latent_mixture import fit_mixture_of_any_size, mixture_samples
from hpo.storage.paths import RESULTS as RUNS
from hpo.storage.paths import RunPaths
from model.data.cifar10 import load_cifar10
from model.data.images import ImageData, as_pixels
from model.device import resolve
from model.network.vae import ConvVAE
from model.picture_inputs import fixed_images, prior_draws
from model.scoring.evaluation import decode, encode, reconstruct
from model.training.model_file import read_model

_SEED, _N_SHOWN = 1000, 12
_SCHEDULE = ("--schedule", "cosine", "--warmup-epochs", "0.2")
_UNFLIPPED = (*_SCHEDULE, "--no-horizontal-flip")
_TUTORIAL = ("--architecture", "plain", "--adam-beta2", "0.999", "--learning-rate", "1e-3", "--no-horizontal-flip")
_NORM_FREE = (*_UNFLIPPED, "--architecture", "norm_free", "--learning-rate", "2e-3")


@dataclass(frozen=True)
class Comparison:
    """One picture: so many epochs of each model, which is trained with the options beside its name."""

    name: str
    latent_dim: int
    epochs: int
    options: dict[str, tuple[str, ...]]

    @property
    def picture(self) -> Path:
        """File of the picture."""
        return RESULTS / f"{self.name}.png"


_LONG: dict[str, tuple[str, ...]] = {
    "the tutorial's": (*_TUTORIAL, "--reconstruction", "bce"),
    "plain": (*_UNFLIPPED, "--architecture", "plain", "--learning-rate", "1e-3"),
    "ours": _NORM_FREE,
}
_SHORT: dict[str, tuple[str, ...]] = {"norm_free": _NORM_FREE, "linear_skip": (*_SCHEDULE, "--learning-rate", "8e-3")}
COMPARISONS = (
    Comparison("before_after", 128, 10, _LONG),
    *(Comparison(f"before_after_{d}", d, 3, _SHORT) for d in PICTURE_DIMS),
)


def main(only: Annotated[str, typer.Option(help="Only pictures whose name has this in it.")] = "") -> None:
    """Train the models where they are missing, then draw."""
    _, root = find_machine("cpu")
    data = load_cifar10(root)
    for comparison in COMPARISONS:
        if only in comparison.name:
            runs = {name: _trained(comparison, name) for name in comparison.options}
            save_sheet(_sheet(comparison, runs, data), comparison.picture)


def _trained(comparison: Comparison, name: str) -> RunPaths:
    run = RunPaths(RUNS / f"{comparison.name}-{name.replace(' ', '-').replace(chr(39), '')}")
    if not run.metrics_json.exists():
        shape = ("--latent-dim", str(comparison.latent_dim), "--epochs", str(comparison.epochs), "--seed", str(_SEED))
        options = (*shape, *comparison.options[name], "--output", str(run.folder))
        subprocess.run([sys.executable, "-m", "hpo", "train", *options], check=True)
    return run


def _sheet(comparison: Comparison, runs: dict[str, RunPaths], data: ImageData) -> Sheet:
    runtime, images = resolve("cpu"), fixed_images(data.validation, _N_SHOWN)
    draws = prior_draws(comparison.latent_dim)[:_N_SHOWN]
    models = {name: read_model(run.model).network for name, run in runs.items()}
    reconstructed = {name: as_pixels(reconstruct(model, images, runtime)) for name, model in models.items()}
    drawn = {name: as_pixels(decode(model, draws, runtime)) for name, model in models.items()}
    mixed = {name: _of_a_mixture(model, data) for name, model in models.items()}
    rows = (
        *_group("Validation images, reconstructed", {"originals": as_pixels(images)} | reconstructed),
        *_group("Draws of the prior", drawn),
        *_group("Draws of a mixture fitted to the codes of training images", mixed),
    )
    title = f"Before and after: {comparison.epochs} epochs each, d = {comparison.latent_dim}"
    return Sheet(rows, title, _note(runs), scale=2)


def _group(heading: str, pictures: dict[str, Pixels]) -> list[TileRow]:
    first = next(iter(pictures))
    return [
        TileRow(pixels, name, starts_group=name == first, headings=((0, heading),) if name == first else ())
        for name, pixels in pictures.items()
    ]


def _of_a_mixture(model: ConvVAE, data: ImageData) -> Pixels:
    runtime = resolve("cpu")
    means, _ = encode(model, data.train.images, runtime)
    codes = mixture_samples(fit_mixture_of_any_size(means.double().numpy()), _N_SHOWN)
    return as_pixels(decode(model, torch.from_numpy(np.asarray(codes)).float(), runtime))


def _note(runs: dict[str, RunPaths]) -> str:
    scores = {name: json.loads(Path(run.metrics_json).read_text())["val_bpd"] for name, run in runs.items()}
    told = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    return f"val_bpd: {told}. The same images, draws and noise in every row."


if __name__ == "__main__":
    typer.run(main)
