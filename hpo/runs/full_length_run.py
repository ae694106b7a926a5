"""A full-length training run, from untrained weights to its folder of results, which appears when it is complete."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpo.analysis.run_metrics import TrialOrigin, read_history
from hpo.config.schema import Interval
from hpo.report.run_page import write_page
from hpo.runs.animation_frames import FrameRecorder, frame_epochs, write_animations
from hpo.runs.code_sliders import write_code_sliders
from hpo.runs.drawing_steps import DrawingFailed, DrawingStarted, draw_each
from hpo.runs.final_test_scores import score, test_split_entries
from hpo.runs.run_figures import run_drawings
from hpo.storage.local.file_locks import hold_lock
from hpo.storage.paths import RunPaths, move_aside
from hpo.storage.run_record import RecordedImages, RunError, RunRecord, read_record, write_record
from model.atomic_files import replacing, write_text
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from model.scoring import ppca
from model.training.checkpoint import StartingPoint, resume_or_start, save_state
from model.training.initialization import untrained_model
from model.training.model_file import read_model, save_model
from model.training.pca_start import start_from_pca
from model.training.train_state import TrainState
from model.training.training_loop import EpochMetrics, score_validation, train


@dataclass(frozen=True)
class TrainingRun:
    """Configuration, images, machine and origin of a training run.

    `data` lies on the runtime's device and was named by `data_root`; `origin` is None for a single run;
    `importance_samples` is None if the test split must not be read.
    """

    config: TrainConfig
    data: ImageData
    data_root: Path | None
    runtime: Runtime
    origin: TrialOrigin | None
    importance_samples: int | None
    reconstruction_interval: Interval
    fps: float

    def record(self) -> RunRecord:
        """Return the content of config.yaml."""
        return RunRecord(
            study=self.origin.study if self.origin else None,
            trial=self.origin.trial if self.origin else None,
            data=RecordedImages(source=self.data.source, root=self.data_root, digest=self.data.digest),
            precision=self.runtime.precision,
            compiled=self.runtime.compiled,
            reconstruction_interval=self.reconstruction_interval,
            fps=self.fps,
            training=self.config,
        )


@dataclass(frozen=True)
class RunStarted:
    """Start of a run, or its continuation after `epoch` > 0 epochs.

    `notice` says why the state of an interrupted run is not used.
    """

    epoch: float
    notice: str | None


@dataclass(frozen=True)
class RunFinished:
    """End of a run, whose folder is complete: metrics as written, history by epochs, and notices for the user.

    `failures` are messages about pictures or a page that could not be made.
    """

    metrics: dict[str, Any]
    history: list[dict[str, float]]
    notices: tuple[str, ...]
    failures: tuple[str, ...] = ()


RunEvent = RunStarted | EpochMetrics | DrawingStarted | RunFinished


def execute(run: TrainingRun, final: RunPaths) -> Iterator[RunEvent]:
    """Train, score and draw into the folder `final`; yield each epoch, and the result at the end.

    An interrupted run continues after its last epoch. If `final` already holds this run, it is not trained again;
    another run there is moved aside.

    Raises: Busy: another process trains this run; Diverged: the training diverged.
    """
    with hold_lock(final.lock, str(final.folder)):
        if _holds(final, run.record()):
            yield _existing_result(run, final)
        else:
            yield from _train_into(final, run)


def _train_into(final: RunPaths, run: TrainingRun) -> Iterator[RunEvent]:
    unfinished = final.under_way
    start = _resume_or_start(run, unfinished)
    state, history = start.state, start.history
    yield RunStarted(history[-1]["epoch"] if history else 0.0, start.notice)
    epochs = frame_epochs(run.config.epochs, run.reconstruction_interval)
    recorder = FrameRecorder(run.data.validation, epochs, unfinished)
    if not history:
        history.append(_untrained_metrics(state, run.data))
        recorder.take(state, 0, history[0]["val_bpd"])
        if start_from_pca(state, run.data.train.images):
            recorder.take(state, 0, score_validation(state, run.data)[1].bpd, is_pca=True)
    for metrics in train(state, run.data):
        if not unfinished.config.exists():
            raise RunError(f"{unfinished.folder}: was removed during the training; run the same command to start over")
        history.append(asdict(metrics))
        recorder.take(state, round(metrics.epoch), metrics.val_bpd)
        # After the frame, so that no saved epoch lacks its frame.
        save_state(unfinished.state, state, history)
        yield metrics
    numbers = score(state, run.data, history, run.importance_samples, run.origin).as_dict()
    table = _write_results(unfinished, run, state, history, numbers)
    notices: list[str] = []
    steps = run_drawings(state.model, run.data, run.runtime, unfinished, table) | {
        "sliders": lambda: write_code_sliders(state.model, run.data, run.runtime, unfinished),
        "animations": lambda: notices.extend(write_animations(unfinished, run.fps)),
        "page": lambda: write_page(unfinished, final),
    }
    failures = []
    for event in draw_each(steps, final.errors):
        if isinstance(event, DrawingFailed):
            failures.append(event.message)
        else:
            yield event
    moved = move_aside(final.folder)
    unfinished.folder.rename(final.folder)
    final.state.unlink(missing_ok=True)
    if moved:
        notices.append(f"The earlier run was moved to {moved}")
    yield RunFinished(numbers, history, tuple(notices), tuple(failures))


def _resume_or_start(run: TrainingRun, unfinished: RunPaths) -> StartingPoint:
    """Return the state to train from, its history, and a notice: where this run was interrupted, else untrained."""
    record = run.record()
    interrupted = read_record(unfinished.config) if unfinished.config.exists() else None
    if interrupted and interrupted.is_same_run(record):
        start = resume_or_start(unfinished.state, run.config, run.runtime, run.data)
        if start.history:
            return start
        notice = start.notice
    else:
        is_another = interrupted is not None and unfinished.state.exists()
        notice = "The interrupted run in this folder had other values and is discarded" if is_another else None
    shutil.rmtree(unfinished.folder, ignore_errors=True)
    write_record(unfinished.config, record)
    state = TrainState(run.config, run.runtime, untrained_model(run.config, run.data.train.images))
    return StartingPoint(state, [], notice)


def _holds(final: RunPaths, record: RunRecord) -> bool:
    """Return True if the folder holds this run, finished.

    Raises: RunError: it holds other files than a run's.
    """
    if not final.folder.exists() or not any(final.folder.iterdir()):
        return False
    try:
        return read_record(final.config).is_same_run(record)
    except RunError as error:
        raise RunError(f"{error}; move the folder away, or name another one") from None


def _existing_result(run: TrainingRun, final: RunPaths) -> RunFinished:
    """Return the result of a finished run; score the test split if that is requested and has not been done."""
    final.state.unlink(missing_ok=True)
    metrics = json.loads(final.metrics_json.read_text())
    if run.importance_samples is not None and metrics["test_bpd"] is None:
        saved, linear = read_model(final.model), ppca.fit(run.data.train.images)
        model = saved.network.to(run.runtime.device)
        metrics |= test_split_entries(model, run.data, run.runtime, saved.sigma, run.importance_samples, linear)
        _write_metrics(final, metrics)
        write_page(final)
    history = read_history(final.metrics_csv)
    notice = f"{final.folder} already holds this run; to train it again, remove that folder"
    return RunFinished(metrics, history, (notice,))


def _write_metrics(paths: RunPaths, metrics: dict[str, Any]) -> None:
    write_text(paths.metrics_json, json.dumps(metrics, indent=2) + "\n")


def _untrained_metrics(state: TrainState, data: ImageData) -> dict[str, float]:
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


def _write_results(
    paths: RunPaths, run: TrainingRun, state: TrainState, history: list[dict[str, float]], numbers: dict[str, Any]
) -> pd.DataFrame:
    """Write model, metrics and configuration, before anything is drawn; return the table of metrics."""
    table = pd.DataFrame(history)
    with replacing(paths.metrics_csv) as temporary:
        table.to_csv(temporary, index=False)
    _write_metrics(paths, numbers)
    write_record(paths.config, run.record())
    save_model(paths.model, state.model, numbers["sigma"], run.config)
    return table
