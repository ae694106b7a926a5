"""Content of a run's page, read from the files of the run."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from hpo.analysis.earlier_best import describe_earlier_best, earlier_best
from hpo.analysis.ppca_baseline import PpcaVerdict, ppca_name, ppca_verdict
from hpo.analysis.run_metrics import RunMetrics, SplitScores, read_history, read_run_metrics
from hpo.config.schema import SAMPLE_SUFFIX, Retrain
from hpo.report.embedded_pictures import Picture, embedded
from hpo.report.shareable_text import PATH_OF_IMAGES, shareable_path
from hpo.storage.paths import TRAIN, RunPaths
from hpo.user_commands import user_command
from model.config import IMAGE_SHAPE, SETTINGS, TrainConfig

# Options that the command of a single run shows even if they have the default value.
_SHOWN_OPTIONS = ("beta", "latent_dim", "learning_rate", "batch_size", "epochs")


@dataclass(frozen=True)
class Sliders:
    """Sliders of the page: codes to start from, dimensions, and the JSON that its script reads."""

    starts: list[dict[str, Any]]
    dimensions: list[dict[str, Any]]
    content: Markup


@dataclass(frozen=True)
class RunPage:
    """Content of a run's page.

    `untrained_bpd` is the validation score before training; `shows_pca` is true if the animations have a frame of
    pPCA; `earlier_best` describes an epoch notably better than the last; `folder` is the folder of the finished run, as
    others may see it; `command` makes the run again; a picture whose file is missing is None.
    """

    metrics: RunMetrics
    training: TrainConfig
    compiled: bool
    untrained_bpd: float
    shows_pca: bool
    validation: SplitScores
    earlier_best: str | None
    folder: str
    command: str
    pictures: Mapping[str, Picture | None]
    sliders: Sliders | None

    @property
    def settings(self) -> list[tuple[str, Any]]:
        """Labels and values of every hyperparameter, and of the training's length and seed."""
        return [
            (setting.label, getattr(self.training, name))
            for name, setting in SETTINGS.items()
            if setting.searchable or name in ("epochs", "seed")
        ]

    @property
    def scored(self) -> SplitScores:
        """Scores by which the run is judged: test if that split was scored, else validation."""
        return self.metrics.test or self.validation

    @property
    def ppca_name(self) -> str:
        """Name of the linear model that these scores are compared with, in a sentence."""
        return ppca_name(self.training.latent_dim, self.metrics.data.n_train, self.training.n_dims)

    @property
    def ppca_verdict(self) -> PpcaVerdict | None:
        """Comparison of these scores with probabilistic PCA; None if pPCA's score is not known."""
        if self.scored.ppca_bpd is None:
            return None
        return ppca_verdict(self.scored.bpd, self.scored.ppca_bpd, overfitted=self.earlier_best is not None)


def read_run_page(paths: RunPaths, final: RunPaths) -> RunPage:
    """Read a finished run from `paths`, whose folder will be renamed to that of `final`; a picture may be missing."""
    metrics, history = read_run_metrics(paths.metrics_json), read_history(paths.metrics_csv)
    # Not a RunRecord: a run of an older version has fewer entries.
    config = yaml.safe_load(paths.config.read_text(encoding="utf-8"))
    training = TrainConfig.from_dict(config["training"])
    better = earlier_best(history)
    folder = shareable_path(final.folder, otherwise="path/to/run")
    return RunPage(
        metrics=metrics,
        training=training,
        compiled=config["compiled"],
        untrained_bpd=history[0]["val_bpd"],
        shows_pca=paths.frame(0, is_pca=True).exists(),
        validation=_validation_scores(history[-1], metrics),
        earlier_best=describe_earlier_best(better) if better else None,
        folder=folder,
        command=_retrain_command(metrics) if metrics.origin else _train_command(config, metrics, training, folder),
        pictures={name: embedded(path) for name, path in _picture_files(paths).items()},
        sliders=_read_sliders(paths.code_sliders),
    )


def _read_sliders(path: Path) -> Sliders | None:
    """Read the sliders of a run; None for a run of an earlier version, and if they could not be made."""
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    # "<" as an escape, so that no text ends the page's script.
    escaped = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    return Sliders(content["starts"], content["dimensions"], Markup(escaped))


def _validation_scores(last: dict[str, float], metrics: RunMetrics) -> SplitScores:
    return SplitScores(
        bpd=last["val_bpd"],
        bpd_interval=metrics.val_bpd_interval,
        rate_nats=last["val_rate_nats"],
        distortion_nats=last["val_distortion_nats"],
        mse=last["val_mse"],
        ppca_bpd=metrics.ppca_val_bpd,
        codeless_bpd=metrics.codeless_val_bpd,
    )


def _retrain_command(metrics: RunMetrics) -> str:
    assert metrics.origin is not None
    study = metrics.origin.study
    if metrics.data.source == "sample":
        # The commands of a study that fell back to the sample take the study's own name.
        study = study.removesuffix(SAMPLE_SUFFIX)
    return user_command("retrain", study, trial=metrics.origin.trial, epochs=metrics.epochs)


def _train_command(config: Mapping[str, Any], metrics: RunMetrics, training: TrainConfig, folder: str) -> str:
    """Return the command of a single run, with every option that differs from its default and that its files hold.

    They do not hold --device: the reader's machine may have another one. The page names the run's.
    """
    data = config["data"]
    # Channels follow from the architecture, and the shape from the images.
    without_effect = {"channels", "image_shape"}
    if training.architecture != "linear_skip":
        without_effect.add("pca_start")
    if not training.starts_with_pca:
        without_effect.add("skip_learning_rate")
    changed = [
        name
        for name, setting in SETTINGS.items()
        if name not in without_effect and getattr(training, name) != setting.default
    ]
    names = dict.fromkeys((*_SHOWN_OPTIONS, *changed))
    options = [_option(name, getattr(training, name)) for name in names]
    if data["source"] == "folder":
        options.append(f"--data {shlex.quote(shareable_path(data.get('root') or '/', PATH_OF_IMAGES))}")
        shape = dict(zip(("image_channels", "image_size"), training.image_shape, strict=False))
        options += [_option(name, value) for name, value in shape.items() if training.image_shape != IMAGE_SHAPE]
    elif data["source"] != "cifar10":
        options.append(f"--data {data['source']}")
    for name in ("reconstruction_interval", "fps"):
        default = Retrain.model_fields[name].default
        # A run of an older version does not record them.
        if (value := config.get(name, default)) != default:
            options.append(_option(name, value))
    if metrics.test:
        options.append("--test")
    if folder != TRAIN.as_posix():
        options.append(f"--output {shlex.quote(folder)}")
    return f".venv/bin/python -m hpo train {' '.join(options)}"


def _option(name: str, value: object) -> str:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return f"--{option} {value}"


def _picture_files(paths: RunPaths) -> dict[str, Path]:
    return {
        "animation": paths.animation_gif,
        "samples_animation": paths.samples_gif,
        "loss_curves": paths.loss_curves,
        "linear_models": paths.linear_models,
        "reconstructions": paths.reconstructions,
        "samples": paths.samples,
        "interpolations": paths.interpolations,
        "traversals": paths.traversals,
        "kl_per_dimension": paths.kl_per_dimension,
        "latent_pca": paths.latent_pca,
        "latent_tsne": paths.latent_tsne,
    }
