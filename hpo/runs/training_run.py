"""One training run from untrained weights to a folder of results, built aside and put in its place whole."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpo.config.schema import Interval
from hpo.report.run_page import write_page
from hpo.runs.animation_frames import FrameRecorder, frame_epochs, write_animations
from hpo.runs.metrics import score, test_metrics
from hpo.runs.run_figures import draw_run_figures
from hpo.storage.file_locks import hold_lock
from hpo.storage.paths import RunPaths, move_aside
from hpo.storage.run_record import RecordedImages, RunError, RunRecord, read_record, write_record
from model.atomic_files import replacing, write_text
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from model.scoring import ppca
from model.training.checkpoint import load_model, resume_or_start, save_model, save_state
from model.training.initialization import untrained_model
from model.training.training_loop import EpochMetrics, TrainState, score_validation, train


@dataclass(frozen=True)
class TrainingRun:
    """What is trained, on what, and where it came from.

    `data` lies on the runtime's device and was named by `data_root`; `origin` has at least `study` and `trial`, and
    goes into the metrics; `importance_samples` is None where the test split is not to be looked at.
    """

    config: TrainConfig
    data: ImageData
    data_root: Path | None
    runtime: Runtime
    origin: dict[str, Any]
    importance_samples: int | None
    reconstruction_interval: Interval
    fps: float

    def record(self) -> RunRecord:
        """What config.yaml is to hold."""
        return RunRecord(
            study=self.origin["study"],
            trial=self.origin["trial"],
            data=RecordedImages(source=self.data.source, root=self.data_root, digest=self.data.digest),
            precision=self.runtime.precision,
            compiled=self.runtime.compiled,
            reconstruction_interval=self.reconstruction_interval,
            fps=self.fps,
            training=self.config,
        )


@dataclass(frozen=True)
class RunStarted:
    """The run is under way, `epoch` > 0 where it goes on; `notice` says what was given up for it."""

    epoch: float
    notice: str | None


@dataclass(frozen=True)
class RunFinished:
    """The run is in its place: its metrics as written, its history, and words where something was adapted."""

    metrics: dict[str, Any]
    history: list[dict[str, float]]
    notices: tuple[str, ...]


RunEvent = RunStarted | EpochMetrics | RunFinished


def execute(run: TrainingRun, final: RunPaths) -> Iterator[RunEvent]:
    """Train, yielding each epoch; then score, draw, and put the folder in place, yielding the result.

    A run that was interrupted goes on from its last epoch. Where `final` holds this very run it is not trained
    again; another run there is moved aside.

    Raises: Busy: another process makes this run; Diverged: the training did.
    """
    with hold_lock(final.lock, str(final.folder)):
        if _holds(final, run.record()):
            yield _as_it_was(run, final)
        else:
            yield from _make(run, final)


def _make(run: TrainingRun, final: RunPaths) -> Iterator[RunEvent]:
    aside = final.under_way
    state, history, notice = _begin(run, aside)
    yield RunStarted(history[-1]["epoch"] if history else 0.0, notice)
    film = FrameRecorder(run.data.validation, frame_epochs(run.config.epochs, run.reconstruction_interval), aside)
    if not history:
        history.append(_untrained(state, run.data))
        film.take(state, 0, history[0]["val_bpd"])
    for metrics in train(state, run.data):
        if not aside.config.exists():
            raise RunError(f"{aside.folder}: vanished while it was worked on; run the same command again to begin anew")
        history.append(asdict(metrics))
        film.take(state, round(metrics.epoch), metrics.val_bpd)
        # After its frame: what the state tells of is there.
        save_state(aside.state, state, history)
        yield metrics
    numbers = run.origin | score(state, run.data, history, run.importance_samples)
    _write(aside, run, state, history, numbers)
    notices = write_animations(aside, run.fps)
    write_page(aside)
    moved = move_aside(final.folder)
    aside.folder.rename(final.folder)
    final.state.unlink(missing_ok=True)
    if moved:
        notices.append(f"The earlier run now lies in {moved}")
    yield RunFinished(numbers, history, tuple(notices))


def _begin(run: TrainingRun, aside: RunPaths) -> tuple[TrainState, list[dict[str, float]], str | None]:
    """The state to train from and its history: where this run was interrupted, else untrained."""
    record = run.record()
    interrupted = read_record(aside.config) if aside.config.exists() else None
    if interrupted and interrupted.is_same_run(record):
        state, history, notice = resume_or_start(aside.state, run.config, run.runtime, run.data)
        if history:
            return state, history, notice
    else:
        given_up = interrupted is not None and aside.state.exists()
        notice = "The run that was under way here had other values, and is given up" if given_up else None
    shutil.rmtree(aside.folder, ignore_errors=True)
    write_record(aside.config, record)
    return TrainState(run.config, run.runtime, untrained_model(run.config, run.data.train.images)), [], notice


def _holds(final: RunPaths, record: RunRecord) -> bool:
    """Whether this very run is there, finished."""
    if not final.folder.exists() or not any(final.folder.iterdir()):
        return False
    try:
        return read_record(final.config).is_same_run(record)
    except RunError as error:
        raise RunError(f"{error}; move the folder away, or name another") from None


def _as_it_was(run: TrainingRun, final: RunPaths) -> RunFinished:
    """What is there; the test split is scored where that is asked for and was not done."""
    final.state.unlink(missing_ok=True)
    metrics = json.loads(final.metrics_json.read_text())
    if run.importance_samples is not None and metrics["test_bpd"] is None:
        model, sigma, _ = load_model(final.model)
        model, linear = model.to(run.runtime.device), ppca.fit(run.data.train.images)
        metrics |= test_metrics(model, run.data, run.runtime, sigma, run.importance_samples, linear)
        _write_metrics(final, metrics)
        write_page(final)
    table = pd.read_csv(final.metrics_csv)
    history = [{str(name): float(value) for name, value in row.items()} for row in table.to_dict("records")]
    notice = f"{final.folder} holds this very run already; to train it anew, remove that folder"
    return RunFinished(metrics, history, (notice,))


def _write_metrics(paths: RunPaths, metrics: dict[str, Any]) -> None:
    write_text(paths.metrics_json, json.dumps(metrics, indent=2) + "\n")


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
    paths: RunPaths, run: TrainingRun, state: TrainState, history: list[dict[str, float]], numbers: dict[str, Any]
) -> None:
    table = pd.DataFrame(history)
    with replacing(paths.metrics_csv) as temporary:
        table.to_csv(temporary, index=False)
    _write_metrics(paths, numbers)
    write_record(paths.config, run.record())
    save_model(paths.model, state.model, numbers["sigma"], run.config)
    draw_run_figures(state.model, run.data, run.runtime, paths, table)
