"""Simulated workers: the real loop of a worker on a real database, without training and pictures.

A worker claims trials, suggests values, reports with a tiny checkpoint, stores the attributes of an ended trial, tells
the study and removes checkpoints, all by the code of `hpo.workers`. Several workers are threads of one process; each
has its own connections, leases and temporary folder.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from hpo.config.call_arguments import Location
from hpo.config.schema import StudyConfig
from hpo.optuna_logging import silence_optuna
from hpo.storage.backend import backend_of, existing_study
from hpo.storage.cluster.fenced_storage import FencedStorage
from hpo.storage.cluster.files import ClusterFiles
from hpo.storage.create_study import attach_sampler_and_pruner
from hpo.storage.paths import StudyPaths
from hpo.workers import objective, worker
from hpo.workers.trial_context import TrialContext
from model.config import TrainConfig
from model.data.images import ImageData, LabelledImages
from model.device import Runtime
from model.training.training_loop import EpochMetrics


@dataclass(frozen=True)
class Load:
    """Numbers of workers, trials and reports of each trial, and seconds that stand for the training of a report."""

    workers: int
    trials: int
    reports: int
    training_s: float = 0.0


@dataclass
class Measured:
    """Seconds of calls, by what they do, and what the workers of a process did.

    `claimed` has (worker, trial number), `reported` (worker, trial number, report).
    """

    claim_s: list[float] = field(default_factory=list)
    lock_s: list[float] = field(default_factory=list)
    report_s: list[float] = field(default_factory=list)
    claimed: list[tuple[str, int]] = field(default_factory=list)
    reported: list[tuple[str, int, int]] = field(default_factory=list)
    cpu_s: float = 0.0
    began: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True)
class WorkerPaths(StudyPaths):
    """Paths of one of several workers of a process: the temporary folder of each is its own."""

    @property
    def scratch(self) -> Path:
        """Temporary folder of this worker."""
        return self.folder / "scratch"


@dataclass
class _State:
    """Training state of nothing but the number of reports that have been made."""

    config: TrainConfig
    n_reports: int = 0
    training_s: float = 0.0


@dataclass(frozen=True)
class _Start:
    state: _State
    history: list[dict[str, float]]
    notice: None = None


class _NoFrames:
    def __init__(self, *_: object) -> None:
        pass

    def start(self, *_: object) -> None:
        pass

    def record(self, *_: object) -> None:
        pass


def run_workers(names: list[str], config: StudyConfig, location: Location, folder: Path, load: Load) -> Measured:
    """Run workers of these names in threads of this process until the study is finished.

    The process is for nothing else: what trains and draws is replaced in it.
    """
    silence_optuna()
    measured = Measured()
    _replace_training(load.training_s)
    _watch(measured)
    measured.began, cpu_s = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(len(names)) as threads:
        found = [threads.submit(_run_worker, name, config, location, folder, load, measured) for name in names]
        for future in found:
            future.result()
    measured.ended, measured.cpu_s = time.monotonic(), time.process_time() - cpu_s
    return measured


def _run_worker(
    name: str, config: StudyConfig, location: Location, folder: Path, load: Load, measured: Measured
) -> None:
    threading.current_thread().name = name
    paths = WorkerPaths(folder / name / config.name, location)
    study, backend = existing_study(config.name, paths), backend_of(paths)
    assert study is not None, "it was created before"
    with backend.claims.deciding(study):
        attach_sampler_and_pruner(study, config, load.trials)
    storage = backend.database.open_storage()
    assert isinstance(storage, FencedStorage), "machines share the study"
    # As FencedStorage does itself: the calls of an instance.
    setattr(storage, "begin", _timed(storage.begin, measured.lock_s))  # noqa: B010
    context = TrialContext(config, paths, study, _no_images(), Runtime(torch.device("cpu"), "float32"))
    for _ in worker.run_trials(context, load.trials, None):
        pass


def _watch(measured: Measured) -> None:
    """Time the claims and reports of this process, and note who makes them."""
    claim_next, report, commit = worker.claim_next, ClusterFiles.report, ClusterFiles._commit

    def timed_claim(*arguments: Any) -> Any:
        began = time.perf_counter()
        claim = claim_next(*arguments)
        # The last call of a worker waits for the others' trials.
        if claim is not None:
            measured.claim_s.append(time.perf_counter() - began)
            measured.claimed.append((threading.current_thread().name, claim.trial.number))
        return claim

    def noted_report(self: ClusterFiles, trial: Any, val_bpd: float, step: int, **keywords: Any) -> None:
        report(self, trial, val_bpd, step, **keywords)
        measured.reported.append((threading.current_thread().name, trial.number, step))

    # Beside the training, in a thread of its own.
    def timed_commit(self: ClusterFiles, *arguments: Any) -> None:
        began = time.perf_counter()
        commit(self, *arguments)
        measured.report_s.append(time.perf_counter() - began)

    replaced: list[tuple[Any, str, Any]] = [
        (worker, "claim_next", timed_claim),
        (ClusterFiles, "report", noted_report),
        (ClusterFiles, "_commit", timed_commit),
    ]
    for owner, name, function in replaced:
        setattr(owner, name, function)


def _timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        began = time.perf_counter()
        result = function(*arguments)
        seconds.append(time.perf_counter() - began)
        return result

    return call


def _replace_training(training_s: float) -> None:
    """Let trials of this process report made-up scores, with checkpoints of a few hundred bytes."""

    def resume_or_start(checkpoint: Path, config: TrainConfig, *_: object) -> _Start:
        history = json.loads(checkpoint.read_text()) if checkpoint.exists() else []
        return _Start(_State(config, len(history), training_s), history)

    replacements: dict[str, Any] = {
        "resume_or_start": resume_or_start,
        "save_state": _save_state,
        "train": _train,
        "TrialFrameRecorder": _NoFrames,
        "draw_and_annotate": lambda *_: None,
    }
    for name, replacement in replacements.items():
        assert hasattr(objective, name)
        setattr(objective, name, replacement)


def _save_state(checkpoint: Path, _: _State, history: list[dict[str, float]]) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.write_text(json.dumps(history))


def _train(state: _State, _: ImageData) -> Iterator[EpochMetrics]:
    while state.n_reports < state.config.n_reports:
        time.sleep(state.training_s * random.uniform(0.5, 1.5))
        state.n_reports += 1
        yield EpochMetrics(**_metrics(state))


def _metrics(state: _State) -> dict[str, Any]:
    epoch = state.config.epoch_at(state.n_reports)
    made_up = dict.fromkeys(EpochMetrics.__dataclass_fields__, 1.0)
    # Lower with every report, and another one for each choice of hyperparameters.
    val_bpd = 5 + abs(hash(json.dumps(asdict(state.config)))) % 1000 / 1000 + 1 / epoch
    return made_up | {"epoch": epoch, "val_bpd": val_bpd, "elapsed_s": epoch, "skipped_updates": 0}


def _no_images() -> ImageData:
    nothing = LabelledImages(torch.zeros(1, 3, 32, 32, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    return ImageData("folder", ("none",), nothing, nothing, nothing, digest="none")
