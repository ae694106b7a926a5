"""The default study beside probabilistic PCA on small sets: `python -m benchmarks.small`. Give it again to go on.

Each set is searched and retrained by the commands that users type, with a file that names nothing but the images.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import imageio.v3 as iio
import typer

from benchmarks.jsonl import append, read
from benchmarks.machine import describe, find_machine
from benchmarks.small.page import SETS, write_page
from benchmarks.small.regularisers import subset
from model.data.cifar10 import load_cifar10
from model.data.images import ImageData
from model.device import Runtime

ROOT = Path(__file__).resolve().parents[2]
# A folder keeps this share of its images for training.
_TRAIN_SHARE = 0.8
_KEPT = ("test_bpd", "test_bpd_interval", "ppca_bpd", "val_bpd", "epochs", "hyperparameters", "data")


def main(
    minutes: Annotated[float, typer.Option(help="Duration of each search.")] = 30,
    only: Annotated[str, typer.Option(help="Only sets whose name has this in it.")] = "",
    pictograms: Annotated[Path | None, typer.Option(help="A folder of pictures of another kind: one set more.")] = None,
    work: Annotated[Path, typer.Option(help="Folder for the images and studies.")] = Path("results/small"),
) -> None:
    """Search and retrain every set that has no result for this duration yet, then write the page."""
    runtime, root = find_machine("cpu")
    data = load_cifar10(root)
    sources: dict[str, Callable[[], str]] = {
        "sample": lambda: "sample",
        "1,000 images of CIFAR-10": lambda: write_folder(data, 1_000, work),
        "15,000 images of CIFAR-10": lambda: write_folder(data, 15_000, work),
    }
    if pictograms:
        sources["pictograms"] = lambda: str(pictograms.resolve())
    done = {(result["set"], result["minutes"], result["kind"]) for result in read(SETS)}
    kind = describe(runtime)["kind"]
    for name, source in sources.items():
        if only in name and (name, minutes, kind) not in done:
            append(SETS, {"set": name, "minutes": minutes, **search_and_retrain(source(), minutes, work, runtime)})
    write_page()


def write_folder(data: ImageData, n_train: int, work: Path) -> str:
    """Write so many training images of CIFAR-10, with those that a folder keeps aside, as files; return the folder."""
    n_images = round(n_train / _TRAIN_SHARE)
    folder, images = work.resolve() / f"images-{n_images}", subset(data, n_images).train
    for number, (pixels, label) in enumerate(zip(images.pixels, images.labels.tolist(), strict=True)):
        path = folder / data.class_names[label] / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        iio.imwrite(path, pixels)
    return str(folder)


def search_and_retrain(source: str, minutes: float, work: Path, runtime: Runtime) -> dict[str, Any]:
    """Run the two commands in a folder of their own; return what metrics.json says, and the seconds of each."""
    study = f"{Path(source).name}-{minutes:g}"
    folder = work.resolve() / study
    (folder / "study_configs").mkdir(parents=True, exist_ok=True)
    (folder / "study_configs" / f"{study}.yaml").write_text(f"data: {json.dumps(source)}\n")
    tune_s = _run(folder, "tune", study, "--timeout", f"{minutes:g}", "--fresh")
    retrain_s = _run(folder, "retrain", study)
    metrics = json.loads((folder / "results" / study / "best" / "metrics.json").read_text())
    kept = {name: metrics[name] for name in _KEPT}
    return {**kept, "tune_s": round(tune_s), "retrain_s": round(retrain_s), **describe(runtime)}


def _run(folder: Path, *command: str) -> float:
    started = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "hpo", *command], cwd=folder, env=environment, check=True)
    return time.monotonic() - started


if __name__ == "__main__":
    typer.run(main)
