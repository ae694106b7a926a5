"""Synthetic studies that look like real searches, without any training."""

import datetime
import functools
import io
import json
import math
import random
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from PIL import Image, ImageFilter

from hpo.config.hyperparameters import Choices
from hpo.config.schema import StudyConfig
from hpo.config.search_space import searched
from hpo.config.study_file import read_config
from hpo.storage.create_study import create_study
from hpo.storage.database import FINGERPRINT
from hpo.storage.fingerprint import settings_fingerprint
from hpo.storage.open_study import OpenStudy, config_as_run
from hpo.storage.paths import StudyPaths

FILE: dict[str, Any] = {
    "seed": 3,
    "data": {"source": "cifar10"},
    "hyperparameters": {
        "beta": {"low": 0.3, "high": 3.0, "log": True},
        "latent_dim": {"low": 16, "high": 256, "log": True},
        "learning_rate": {"low": 3e-4, "high": 1e-2, "log": True},
        "batch_size": {"choices": [32, 64, 128, 256]},
        "schedule": "cosine",
    },
    "training": {"epochs": 3, "report_every": 0.5},
    "budget": {"trials": 200},
}
TUTORIAL = {"beta": 1.0, "latent_dim": 128, "learning_rate": 1e-3, "batch_size": 64}
ATTRIBUTES: dict[str, Any] = {
    "startup_trials": 10,
    "precision": "float32",
    "data": {"source": "cifar10", "n_train": 45000, "n_val": 5000, "n_test": 10000},
    "versions": {"python": "3.11.7", "optuna": "5.0.0"},
    "git_commit": "0123456789abcdef0123456789abcdef01234567",
}
STATES = {"finished": TrialState.COMPLETE, "failed": TrialState.FAIL, "running": TrialState.RUNNING}
STARTED = datetime.datetime(2026, 1, 2, 3, 4, 5)


def create(folder: Path, name: str = "small", file: dict[str, Any] | None = None, **attributes: Any) -> OpenStudy:
    """Create an empty study in `folder`/results, with its file in `folder`/study_configs; commands run in `folder`.

    `file` replaces keys of FILE, `attributes` replaces attributes of the study, but `digest` that of the images.
    """
    path = folder / "study_configs" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(FILE | (file or {})))
    config = read_config(path)
    paths = StudyPaths(folder / "results" / name)
    digest, source = attributes.pop("digest", "d1ge57"), (ATTRIBUTES | attributes)["data"]["source"]
    images = {"data.source": json.dumps(source), "data.digest": json.dumps(digest)}
    fingerprint = {FINGERPRINT: images | settings_fingerprint(config)}
    study = create_study(config, paths, ATTRIBUTES | attributes | fingerprint)
    return OpenStudy(study, config_as_run(config, study), paths, name)


def add_trial(
    opened: OpenStudy,
    *scores: float,
    end: str = "finished",
    files: dict[str, bytes] | None = None,
    values: dict[str, Any] | None = None,
    **more_attributes: Any,
) -> int:
    """Add a trial with these scores, `end` and hyperparameters, and with `files` as artifacts; return its number."""
    number = len(opened.study.get_trials(deepcopy=False))
    kind = end.partition(":")[0]
    state = STATES.get(kind, TrialState.PRUNED)
    params = {name: value for name, value in (TUTORIAL | (values or {})).items() if name in _searched(opened.config)}
    attributes = (
        {} if kind == "running" else {"end": end} | (_metrics(scores, params) if scores else {})
    ) | more_attributes
    trial = create_trial(
        state=state,
        values=_objectives(opened.config, scores[-1], params, attributes) if state == TrialState.COMPLETE else None,
        params=params,
        distributions={name: distribution(entry) for name, entry in _searched(opened.config).items()},
        intermediate_values=dict(enumerate(scores, start=1)),
        user_attrs=attributes,
        system_attrs=_store(opened.paths, files or {}),
    )
    trial.datetime_start = STARTED + datetime.timedelta(minutes=2 * number)
    trial.datetime_complete = trial.datetime_start + datetime.timedelta(seconds=90) if kind != "running" else None
    opened.study.add_trial(trial)
    return number


def distribution(entry: Any) -> BaseDistribution:
    """Return Optuna's distribution of a searched hyperparameter."""
    if isinstance(entry, Choices):
        return CategoricalDistribution(entry.choices)
    kind = IntDistribution if isinstance(entry.low, int) else FloatDistribution
    return kind(entry.low, entry.high, log=entry.log)


def add_search(opened: OpenStudy, n_trials: int, seed: int = 0, pictures: bool = True) -> None:
    """Add trials as a search does: first the tutorial's, half of them pruned, one diverged."""
    rng = random.Random(seed)
    for number in range(n_trials):
        values = TUTORIAL if number == 0 else _draw(rng)
        n_reports = 6 if number < 4 or rng.random() < 0.55 else rng.choice([2, 3, 4])
        end = "finished" if n_reports == 6 else f"pruned at epoch {n_reports / 2:g}"
        if number == 7:
            n_reports, end = 1, "diverged: half of the updates were not finite"
        scores = [_score(values, report / 2) + rng.gauss(0, 0.01) for report in range(1, n_reports + 1)]
        files = {"reconstructions.png": tiles(number % 8), "samples.png": tiles(8), "learning_curve.png": plot()}
        add_trial(opened, *scores, end=end, values=values, files=files if pictures else {})


@functools.cache
def tiles(seed: int) -> bytes:
    """Return a PNG of five by four blurred tiles, like a trial's reconstructions."""
    noise = np.random.default_rng(seed).integers(0, 255, (16, 20, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((640, 512), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    return png(image)


@functools.cache
def plot() -> bytes:
    """Return a white PNG of the size of a plot."""
    return png(Image.new("RGB", (1300, 840), "white"))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _searched(config: StudyConfig) -> dict[str, Any]:
    return dict(searched(config.hyperparameters))


def _draw(rng: random.Random) -> dict[str, Any]:
    return {
        "beta": 10 ** rng.uniform(math.log10(0.3), math.log10(3)),
        "latent_dim": round(16 * 16 ** rng.random()),
        "learning_rate": 10 ** rng.uniform(math.log10(3e-4), -2),
        "batch_size": rng.choice([32, 64, 128, 256]),
    }


def _score(values: dict[str, float], epoch: float) -> float:
    """Return a score that is lowest near beta 1, many dimensions and a learning rate of 1e-3."""
    excess: float = (
        0.15 * math.log(values["beta"]) ** 2
        + 0.1 * math.log(values["learning_rate"] / 1e-3) ** 2
        + 0.07 * math.log(256 / values["latent_dim"]) ** 1.5
        + 0.03 * abs(math.log2(values["batch_size"] / 64))
    )
    return 6.6 + excess + 0.5 * math.exp(-epoch)


def _metrics(scores: tuple[float, ...], params: dict[str, Any]) -> dict[str, Any]:
    rate = 90 * math.log(params.get("latent_dim", 128)) / 3 / params.get("beta", 1.0) ** 0.5
    nats = (scores[-1] - math.log2(255)) * 3072 * math.log(2)
    mse = math.exp(2 * (nats - rate) / 3072 - 1) / (2 * math.pi)
    return {
        "epoch": len(scores) / 2,
        "val_rate_nats": rate,
        "val_distortion_nats": nats - rate,
        "val_mse": mse,
        "sigma": mse**0.5,
        "elapsed_s": 20.0 * len(scores),
        "images_per_second": 1100.0,
    }


def _objectives(config: StudyConfig, score: float, params: dict[str, Any], attributes: dict[str, Any]) -> list[float]:
    values = {
        "val_bpd": score,
        "latent_dim": params.get("latent_dim"),
        "seconds_per_epoch": attributes["elapsed_s"] / attributes["epoch"],
    }
    return [float(values[name]) for name in config.objectives]


def _store(paths: StudyPaths, files: dict[str, bytes]) -> dict[str, str]:
    """Store files as artifacts; return the attributes that describe them to Optuna."""
    attributes = {}
    for name, content in files.items():
        artifact_id = str(uuid.uuid4())
        paths.artifacts.mkdir(parents=True, exist_ok=True)
        (paths.artifacts / artifact_id).write_bytes(content)
        meta = {"artifact_id": artifact_id, "filename": name, "mimetype": "image/png", "encoding": None}
        attributes[f"artifacts:{artifact_id}"] = json.dumps(meta)
    return attributes


def write_ppca_baseline(opened: OpenStudy) -> None:
    """Write the scores of probabilistic PCA as `tune` does."""
    sizes = range(1, 257)
    bpd = {str(size): 7.6 - 0.28 * math.log(size) for size in sizes}
    rates = {str(size): 60 * math.log(1 + size / 2) for size in sizes}
    distortions = {size: (score - math.log2(255)) * 3072 * math.log(2) - rates[size] for size, score in bpd.items()}
    parts = {"bpd": bpd, "rate_nats": rates, "distortion_nats": distortions}
    contents = {"digest": "d1ge57" + "0" * 58} | {f"validation_{name}": values for name, values in parts.items()}
    opened.paths.ppca_baseline.write_text(json.dumps(contents))


optuna.logging.set_verbosity(optuna.logging.WARNING)
