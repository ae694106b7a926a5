"""Synthetic studies of thousands of trials, written straight into their databases: Optuna would take minutes.

Each looks like a search with successive halving: paused trials, trials that continue them, files and a note of each.
"""

import datetime
import json
import math
import os
import random
import sqlite3
import uuid
from bisect import bisect, insort
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from optuna.distributions import BaseDistribution, distribution_to_json
from PIL import Image

from hpo.config.search_space import distributions
from hpo.config.study_file import read_config
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import CONSTRAINT, END
from hpo.search.pruners import halving_of
from hpo.storage.backend import existing_study
from hpo.storage.create_study import create_study
from hpo.storage.database import FINGERPRINT
from hpo.storage.fingerprint import settings_fingerprint
from hpo.storage.open_study import OpenStudy, config_as_run
from hpo.storage.paths import StudyPaths
from model.training.training_loop import EpochMetrics

FILE: dict[str, Any] = {
    "seed": 0,
    "data": {"source": "cifar10"},
    "hyperparameters": {
        "beta": {"low": 0.3, "high": 3.0, "log": True},
        "latent_dim": {"low": 32, "high": 512, "log": True},
        "learning_rate": {"low": 3e-4, "high": 1e-2, "log": True},
        "batch_size": {"choices": [16, 32, 64, 128]},
    },
    "training": {"epochs": 3, "report_every": 0.5},
    "budget": {"trials": 100_000},
    "pruner": {"warmup_epochs": 1},
}
_ATTRIBUTES: dict[str, Any] = {
    "startup_trials": 10,
    "precision": "float32",
    "data": {"source": "cifar10", "n_train": 45000, "n_val": 5000, "n_test": 10000},
    "versions": {},
    "git_commit": None,
}
_N_REPORTS = 6
_STARTED = datetime.datetime(2026, 1, 2, 3, 4, 5)


@dataclass(frozen=True)
class SyntheticTrial:
    """A trial as the database holds it; `continues` is the number of the paused trial that it continues."""

    number: int
    params: dict[str, Any]
    scores: tuple[float, ...]
    continues: int | None

    @property
    def is_finished(self) -> bool:
        """True after the full training length; else it pauses at a rung."""
        return len(self.scores) == _N_REPORTS


def open_growth_study(folder: Path, n_trials: int) -> OpenStudy:
    """Open the study of `n_trials` trials in a folder, after writing it if it is not there.

    Each trial has pictures and a table among its artifacts, hard links of the same few files.
    """
    path = folder / f"growth_{n_trials}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(FILE))
    config = read_config(path)
    paths = StudyPaths(folder / path.stem)
    study = existing_study(config.name, paths)
    if study is None:
        images = {"data.source": '"cifar10"', "data.digest": '"d1ge57"'}
        attributes = _ATTRIBUTES | {FINGERPRINT: images | settings_fingerprint(config)}
        create_study(config, paths, attributes)
        halving = halving_of(config.pruner, config.training)
        assert halving is not None
        trials = list(_search(n_trials, halving.rungs, halving.factor))
        _write(paths, trials, distributions(config.hyperparameters))
        study = existing_study(config.name, paths)
    assert study is not None
    return OpenStudy(study, config_as_run(config, study), paths, str(path))


def _search(n_trials: int, rungs: tuple[int, ...], factor: int) -> Iterator[SyntheticTrial]:
    """Yield trials as successive halving by scores makes them: a promotion where one is possible, else a new one."""
    rng = random.Random(0)
    reached: dict[int, list[float]] = {rung: [] for rung in rungs}
    paused: dict[int, list[tuple[float, SyntheticTrial]]] = {rung: [] for rung in rungs}
    for number in range(n_trials):
        before = _promoted(reached, paused, factor)
        params = before.params if before else _draw(rng)
        scores = list(before.scores) if before else []
        while len(scores) < _N_REPORTS:
            scores.append(_score(params, (len(scores) + 1) / 2) + rng.gauss(0, 0.005))
            if (rung := len(scores)) in reached:
                insort(reached[rung], scores[-1])
                if bisect(reached[rung], scores[-1]) > len(reached[rung]) // factor:
                    break
        trial = SyntheticTrial(number, params, tuple(scores), before.number if before else None)
        if not trial.is_finished:
            insort(paused[len(scores)], (scores[-1], trial), key=lambda entry: entry[0])
        yield trial


def _promoted(
    reached: dict[int, list[float]], paused: dict[int, list[tuple[float, SyntheticTrial]]], factor: int
) -> SyntheticTrial | None:
    for rung in sorted(reached, reverse=True):
        if paused[rung] and bisect(reached[rung], paused[rung][0][0]) <= len(reached[rung]) // factor:
            return paused[rung].pop(0)[1]
    return None


def _draw(rng: random.Random) -> dict[str, Any]:
    return {
        "beta": 0.3 * 10 ** rng.random(),
        "latent_dim": round(32 * 16 ** rng.random()),
        "learning_rate": 3e-4 * (1e-2 / 3e-4) ** rng.random(),
        "batch_size": rng.choice([16, 32, 64, 128]),
    }


def _score(params: Mapping[str, Any], epoch: float) -> float:
    """Return a score that is lowest near beta 1, many dimensions and a learning rate of 2e-3."""
    excess: float = (
        0.15 * math.log(params["beta"]) ** 2
        + 0.1 * math.log(params["learning_rate"] / 2e-3) ** 2
        + 0.07 * math.log(512 / params["latent_dim"])
        + 0.03 * abs(math.log2(params["batch_size"] / 32))
    )
    return 4.6 + excess + 0.5 * math.exp(-epoch)


def _write(paths: StudyPaths, trials: list[SyntheticTrial], space: Mapping[str, BaseDistribution]) -> None:
    """Insert all rows; ids are one more than numbers, since the database has no other study."""
    spaces = {name: (distribution, distribution_to_json(distribution)) for name, distribution in space.items()}
    originals = _write_files(paths)
    rows: dict[str, list[tuple[Any, ...]]] = {
        "trials (trial_id, number, study_id, state, datetime_start, datetime_complete)": [_trial(t) for t in trials],
        "trial_params (trial_id, param_name, param_value, distribution_json)": [
            (t.number + 1, name, distribution.to_internal_repr(t.params[name]), text)
            for t in trials
            for name, (distribution, text) in spaces.items()
        ],
        "trial_values (trial_id, objective, value, value_type)": [
            (t.number + 1, 0, t.scores[-1], "FINITE") for t in trials if t.is_finished
        ],
        "trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)": [
            (t.number + 1, step, score, "FINITE") for t in trials for step, score in enumerate(t.scores, start=1)
        ],
        "trial_user_attributes (trial_id, key, value_json)": [
            (t.number + 1, name, json.dumps(value)) for t in trials for name, value in _attributes(t).items()
        ],
        "trial_system_attributes (trial_id, key, value_json)": [
            (t.number + 1, name, json.dumps(value))
            for t in trials
            for name, value in _artifacts(paths, originals).items()
        ],
        "study_system_attributes (study_id, key, value_json)": [
            (1, f"dashboard:{t.number + 1}:{name}", json.dumps(value))
            for t in trials
            for name, value in {"note_ver": 1, "note_str:0": f"**Trial {t.number}** {'.' * 900}"}.items()
        ],
    }
    with closing(sqlite3.connect(paths.database)) as connection, connection:
        for target, values in rows.items():
            marks = ", ".join("?" * (target.count(",") + 1))
            connection.executemany(f"INSERT INTO {target} VALUES ({marks})", values)


def _trial(trial: SyntheticTrial) -> tuple[Any, ...]:
    started = _STARTED + datetime.timedelta(minutes=2 * trial.number)
    times = [f"{moment:%Y-%m-%d %H:%M:%S.%f}" for moment in (started, started + datetime.timedelta(seconds=90))]
    return trial.number + 1, trial.number, 1, "COMPLETE" if trial.is_finished else "PRUNED", *times


def _attributes(trial: SyntheticTrial) -> dict[str, Any]:
    epoch, rate = len(trial.scores) / 2, 90 * math.log(trial.params["latent_dim"]) / trial.params["beta"] ** 0.5
    nats = (trial.scores[-1] - math.log2(255)) * 3072 * math.log(2)
    end = "finished" if trial.is_finished else f"pruned at epoch {epoch:g}: {trial.scores[-1]:.4f}, ranked 9 of 10"
    return {
        END: end,
        "device": "cpu",
        "precision": "float32",
        "epoch": epoch,
        "val_rate_nats": rate,
        "val_distortion_nats": nats - rate,
        "val_mse": 0.005,
        "sigma": 0.07,
        "skipped_updates": 0,
        "elapsed_s": 20.0 * len(trial.scores),
        "images_per_second": 1100.0,
        **({} if trial.continues is None else {CONTINUES: trial.continues}),
    }


def _write_files(paths: StudyPaths) -> dict[str, Path]:
    """Write the files that all trials share; pictures have the size and the detail of real ones."""
    folder = paths.folder / "shared"
    folder.mkdir()
    noise = Image.frombytes("RGB", (20, 16), random.Random(0).randbytes(960))
    tiles = noise.resize((640, 512), Image.Resampling.BICUBIC)
    for name in ("reconstructions.png", "samples.png", "learning_curve.png", "animation.gif"):
        tiles.save(folder / name)
    names = [field.name for field in fields(EpochMetrics)]
    pd.DataFrame([[1] * len(names)] * _N_REPORTS, columns=names).to_csv(folder / "metrics.csv", index=False)
    paths.artifacts.mkdir()
    return {file.name: file for file in sorted(folder.iterdir())}


def _artifacts(paths: StudyPaths, originals: Mapping[str, Path]) -> dict[str, Any]:
    """Link the shared files as artifacts of a trial; return the attributes that describe them to Optuna."""
    attributes: dict[str, Any] = {f"constraints:{CONSTRAINT}": 0.0}
    for name, original in originals.items():
        artifact_id = str(uuid.uuid4())
        _link(original, paths.artifacts / artifact_id)
        meta = {"artifact_id": artifact_id, "filename": name, "mimetype": "image/png", "encoding": None}
        attributes[f"artifacts:{artifact_id}"] = json.dumps(meta)
    return attributes


def _link(original: Path, target: Path) -> None:
    try:
        os.link(original, target)
    except OSError:
        # A file has at most some ten thousand links on most disks.
        target.write_bytes(original.read_bytes())
