"""One training run from untrained weights to a folder of results, built aside and swapped in whole."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from hpo.film import Film, frame_epochs, write_films
from hpo.metrics import score
from hpo.paths import RunPaths
from hpo.suite import draw_suite
from model.atomic import replacing, write_text
from model.checkpoint import save_model
from model.config import TrainConfig
from model.data import ImageData
from model.runtime import Runtime
from model.train import EpochMetrics, TrainState, score_validation, train


@dataclass(frozen=True)
class Run:
    """What is trained, on what, and where it came from. `data` lies on the runtime's device."""

    config: TrainConfig
    data: ImageData
    runtime: Runtime
    origin: dict[str, Any]
    importance_samples: int
    reconstruction_interval: int | str
    fps: float


@dataclass(frozen=True)
class Finished:
    """The run is in its place: its metrics as written, its history, and words where something was adapted."""

    metrics: dict[str, Any]
    history: list[dict[str, float]]
    notices: tuple[str, ...]


def carry_out(run: Run, aside: RunPaths, final: RunPaths) -> Iterator[EpochMetrics | Finished]:
    """Train, yielding each epoch; then score, draw and put the folder in place, yielding the result.

    Raises: Diverged: the training did.
    """
    _undo_half_a_swap(final)
    shutil.rmtree(aside.folder, ignore_errors=True)
    state = TrainState(run.config, run.runtime)
    film = Film(run.data.validation, frame_epochs(run.config.epochs, run.reconstruction_interval), aside)
    history = [_untrained(state, run.data)]
    film.take(state, 0, history[0]["val_bpd"])
    for metrics in train(state, run.data):
        history.append(asdict(metrics))
        film.take(state, round(metrics.epoch), metrics.val_bpd)
        yield metrics
    numbers = run.origin | score(state, run.data, history, run.importance_samples)
    _write(aside, run, state, history, numbers)
    notices = write_films(aside, run.fps)
    _swap(aside, final)
    yield Finished(numbers, history, tuple(notices))


def _untrained(state: TrainState, data: ImageData) -> dict[str, float]:
    sigma, evaluation = score_validation(state, data)
    return {
        "epoch": 0.0,
        "images_seen": 0,
        "val_bpd": evaluation.bpd,
        "val_rate_nats": evaluation.rate_nats,
        "val_distortion_nats": evaluation.distortion_nats,
        "val_mse": evaluation.mse,
        "sigma": sigma,
    }


def _write(
    paths: RunPaths, run: Run, state: TrainState, history: list[dict[str, float]], numbers: dict[str, Any]
) -> None:
    table = pd.DataFrame(history)
    with replacing(paths.metrics_csv) as temporary:
        table.to_csv(temporary, index=False)
    write_text(paths.metrics_json, json.dumps(numbers, indent=2) + "\n")
    write_text(paths.config, _as_yaml(run))
    save_model(paths.model, state.model, numbers["sigma"], run.config)
    draw_suite(state.model, run.data, run.runtime, paths, table)


def _as_yaml(run: Run) -> str:
    contents = {
        **{name: run.origin[name] for name in ("study", "trial")},
        "data": {"source": run.data.source, "digest": run.data.digest},
        "precision": run.runtime.precision,
        "compiled": run.runtime.compiled,
        "fps": run.fps,
        "training": asdict(run.config) | {"channels": list(run.config.channels)},
    }
    return yaml.safe_dump(contents, sort_keys=False)


def _before(final: RunPaths) -> Path:
    return final.folder.with_name(f".{final.folder.name}_before")


def _undo_half_a_swap(final: RunPaths) -> None:
    """Put the old folder back where a process ended between the two renames."""
    if _before(final).exists() and not final.folder.exists():
        _before(final).rename(final.folder)


def _swap(aside: RunPaths, final: RunPaths) -> None:
    """Put the new folder in place of the old one, so that frames of two runs never mix."""
    old = _before(final)
    shutil.rmtree(old, ignore_errors=True)
    if final.folder.exists():
        final.folder.rename(old)
    aside.folder.rename(final.folder)
    shutil.rmtree(old, ignore_errors=True)
