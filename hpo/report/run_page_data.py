"""What the page of one run shows, as data: read from the run's files alone."""

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from hpo.analysis.earlier_best import earlier_best
from hpo.config.dataset import SAMPLE_SUFFIX
from hpo.report.embedded_pictures import Picture, embedded
from hpo.storage.paths import RESULTS, RunPaths, StudyPaths
from model.config import TrainConfig


@dataclass(frozen=True)
class Origin:
    """The study and the trial that a run retrains, and what the trial scored after how many epochs."""

    study: str
    trial: int
    val_bpd: float
    epochs: float


@dataclass(frozen=True)
class ImageCounts:
    """Where the images came from, `cifar10`, `sample` or `folder`, and how many each split has."""

    source: str
    n_train: int
    n_val: int
    n_test: int


@dataclass(frozen=True)
class SplitScores:
    """One split's score and that of probabilistic PCA (bits/dim), its parts (nats per image) and error."""

    bpd: float
    rate_nats: float
    distortion_nats: float
    mse: float
    psnr_db: float
    ppca_bpd: float | None


@dataclass(frozen=True)
class ImportanceWeighted:
    """The importance-weighted bound of some test images, and the score of the same images, in bits/dim."""

    n_samples: int
    n_images: int
    bpd: float
    elbo_bpd_of_the_same_images: float


@dataclass(frozen=True)
class Machine:
    """What the run was made on and with."""

    device: str
    precision: str
    compiled: bool
    elapsed_s: float
    images_per_second: float
    skipped_updates: int
    versions: tuple[tuple[str, str], ...]
    git_commit: str | None


@dataclass(frozen=True)
class RunPage:
    """All that the page of a run tells. `test` is None where the test split was not scored.

    `earlier_best` is (epoch, bits/dim) of an epoch notably better than the last; `folder` where the run lies
    once it is in its place; `command` what makes it again.
    """

    origin: Origin | None
    images: ImageCounts
    training: TrainConfig
    machine: Machine
    untrained_bpd: float
    validation: SplitScores
    test: SplitScores | None
    importance: ImportanceWeighted | None
    sigma: float
    active_units: int
    earlier_best: tuple[float, float] | None
    folder: str
    command: str
    pictures: Mapping[str, Picture | None]

    @property
    def scored(self) -> SplitScores:
        """The split by which the run is judged: test where it was scored, else validation."""
        return self.test or self.validation


def run_page(paths: RunPaths) -> RunPage:
    """Read a finished run. A picture that is not there is None; the other files must be."""
    metrics = json.loads(paths.metrics_json.read_text(encoding="utf-8"))
    config = yaml.safe_load(paths.config.read_text(encoding="utf-8"))
    table = pd.read_csv(paths.metrics_csv)
    history = [{str(name): float(value) for name, value in row.items()} for row in table.to_dict("records")]
    training = TrainConfig.from_dict(config["training"])
    better = earlier_best(history)
    bound = metrics["test_importance_weighted"]
    return RunPage(
        origin=_origin(metrics),
        images=ImageCounts(**metrics["data"]),
        training=training,
        machine=_machine(metrics, config),
        untrained_bpd=history[0]["val_bpd"],
        validation=_validation(history[-1], metrics["ppca_val_bpd"]),
        test=_test(metrics),
        importance=ImportanceWeighted(**bound) if bound else None,
        sigma=metrics["sigma"],
        active_units=metrics["active_units"],
        earlier_best=(better["epoch"], better["val_bpd"]) if better else None,
        folder=str(_final_paths(metrics["study"]).folder),
        command=_command(metrics, config, training),
        pictures={name: embedded(path) for name, path in _picture_files(paths).items()},
    )


def _origin(metrics: dict[str, Any]) -> Origin | None:
    if metrics["study"] is None:
        return None
    return Origin(metrics["study"], metrics["trial"], metrics["trial_val_bpd"], metrics["trial_epochs"])


def _machine(metrics: dict[str, Any], config: dict[str, Any]) -> Machine:
    names = ("device", "precision", "elapsed_s", "images_per_second", "skipped_updates", "git_commit")
    facts = {name: metrics[name] for name in names}
    return Machine(**facts, compiled=config["compiled"], versions=tuple(metrics["versions"].items()))


def _validation(last: dict[str, float], ppca_bpd: float | None) -> SplitScores:
    names = ("bpd", "rate_nats", "distortion_nats", "mse")
    return _split_scores({name: last[f"val_{name}"] for name in names}, ppca_bpd)


def _test(metrics: dict[str, Any]) -> SplitScores | None:
    if metrics["test_bpd"] is None:
        return None
    names = ("bpd", "rate_nats", "distortion_nats", "mse")
    return _split_scores({name: metrics[f"test_{name}"] for name in names}, metrics["ppca_bpd"])


def _split_scores(scores: dict[str, float], ppca_bpd: float | None) -> SplitScores:
    return SplitScores(**scores, psnr_db=-10 * math.log10(scores["mse"]), ppca_bpd=ppca_bpd)


def _final_paths(study: str | None) -> RunPaths:
    """Where a run lies in the end; it is built elsewhere."""
    return RunPaths(RESULTS / "train") if study is None else StudyPaths.of(study).best


def _command(metrics: dict[str, Any], config: dict[str, Any], training: TrainConfig) -> str:
    """What a user types to make the run again."""
    if metrics["study"] is None:
        return f".venv/bin/python -m hpo train {' '.join(_options(config, training))}"
    study = metrics["study"]
    if metrics["data"]["source"] == "sample":
        # A study that fell back on the sample is called by its own name.
        study = study.removesuffix(SAMPLE_SUFFIX)
    return f"make best-retrain STUDY={shlex.quote(study)} TRIAL={metrics['trial']} EPOCHS={training.epochs}"


def _options(config: dict[str, Any], training: TrainConfig) -> list[str]:
    """The tutorial's values in any case; of the rest, what is not the default."""
    always = ("beta", "latent_dim", "learning_rate", "batch_size", "epochs")
    seldom = ("schedule", "warmup_epochs", "reconstruction", "architecture", "adam_beta2", "seed")
    told = [*always, *(name for name in seldom if getattr(training, name) != getattr(TrainConfig(), name))]
    options = [f"--{name.replace('_', '-')} {getattr(training, name)}" for name in told]
    if training.linear_path:
        options.append("--linear-path")
    source, root = config["data"]["source"], config["data"].get("root")
    data = shlex.quote(str(root)) if source == "folder" else source
    return options if source == "cifar10" else [*options, f"--data {data}"]


def _picture_files(paths: RunPaths) -> dict[str, Path]:
    films = {"animation": paths.animation_gif, "samples_film": paths.samples_gif}
    maps = {"latent_pca": paths.latent_pca, "latent_tsne": paths.latent_tsne}
    names = ("loss_curves", "reconstructions", "samples", "interpolations", "traversals", "kl_per_dimension")
    return films | maps | {name: getattr(paths, name) for name in names}
