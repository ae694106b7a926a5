"""Workers of one call on a Ray cluster.

Ray places them and reports nodes that are lost. It does not notice a node that is frozen or cut off: leases do.
"""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from optuna.study import Study

from hpo.config.call_arguments import RayPlacement
from hpo.optuna_logging import silence_optuna
from hpo.search.configurations import running_trials
from hpo.storage.backend import backend_of
from hpo.storage.cluster.connection import INSTALL
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialStarted
from hpo.workers.worker import FailureStreak
from hpo.workers.worker_process import WorkerFailed, WorkerTask, worker_events
from model.device import prepare_process
from model.errors import UserError

_ROOT = Path(__file__).resolve().parents[2]
_POLL_S, _CONNECTION_S, _ANSWER_S = 1.0, 10.0, 5.0
# So long nothing is heard of a worker that has nothing left to do before it counts as lost.
_SILENCE_S = 10.0
# Pauses before a worker that has died is started again.
_PAUSES_S = (1.0, 5.0, 15.0, 60.0)
# So long this call waits for a node that can hold a worker.
_NO_NODE_S = 900.0


class RayError(UserError):
    """The Ray cluster cannot be used."""


@dataclass(frozen=True)
class WorkerJoined:
    """First message of a worker: the name by which claims know it."""

    name: str


@dataclass
class _WorkerHandle:
    """A worker as this process sees it."""

    index: int
    name: str | None = None
    trial: int | None = None
    heard: float = field(default_factory=time.monotonic)


def connect(placement: RayPlacement) -> None:
    """Connect this process to a Ray cluster.

    Raises: RayError: Ray is not installed, or there is no such cluster.
    """
    if find_spec("ray") is None:
        raise RayError(f"--ray {placement.address}: Ray is not installed; {INSTALL}")
    # Ray has no types of use.
    ray: Any = import_module("ray")
    # Packages of this checkout: nodes need no copy of it.
    modules = {"py_modules": [str(_ROOT / "hpo"), str(_ROOT / "model")]}
    try:
        host, _, port = placement.address.rpartition(":")
        if host:
            # Ray itself would try for minutes.
            socket.create_connection((host, int(port)), timeout=_CONNECTION_S).close()
        ray.init(placement.address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=modules)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RayError(f"--ray {placement.address}: no Ray cluster was found there ({reason})") from error


class RayWorkers:
    """Workers that a Ray cluster runs; as many are asked for at any time as the call has, so that it can grow."""

    def __init__(self, task: WorkerTask, study: Study, n_workers: int, placement: RayPlacement) -> None:
        """Prepare the workers; this process must be connected to the cluster, see `connect`."""
        ray: Any = import_module("ray")
        self._ray, self._task, self._study, self._placement = ray, task, study, placement
        self._claims = backend_of(task.paths).claims
        self._streak = FailureStreak(task.paths)
        # On this node: another may be lost, and workers ask it after every report.
        strategies: Any = import_module("ray.util.scheduling_strategies")
        here = strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._call = ray.remote(_Call).options(num_cpus=0, scheduling_strategy=here).remote(task.deadline)
        self._workers: dict[Any, _WorkerHandle] = {}
        self._to_start = [(0.0, index) for index in range(n_workers)]
        self._n_crashes = 0
        self._is_ending = False

    def stop(self) -> None:
        """Ask every worker to stop after its next report."""
        self._is_ending = True
        self._call.stop.remote()

    def events(self) -> Generator[TrialEvent]:
        """Yield events until the last worker has ended.

        Raises: TooManyFailures: several trials failed in a row; RayError: no node can hold a worker.
                UserError, OSError, StorageInternalError: an error of a worker that is not its trial's fault.
        """
        began = time.monotonic()
        if not self._fits():
            yield Notice(f"No node of the Ray cluster can hold a worker now ({self._needs()}); waiting for one")
        try:
            while self._start_those_due() or self._workers:
                ready, _ = self._ray.wait(list(self._workers), timeout=_POLL_S) if self._workers else ([], None)
                for stream in ready:
                    yield from self._receive(stream)
                self._drop_idle()
                if not any(worker.name for worker in self._workers.values()) and not self._is_ending:
                    self._check_nodes(began)
        finally:
            self._end_all()

    def _start_those_due(self) -> bool:
        """Start the workers whose pause has passed; return True while any waits for its own."""
        if self._is_ending:
            self._to_start = []
        due = [index for at, index in self._to_start if at <= time.monotonic()]
        self._to_start = [(at, index) for at, index in self._to_start if index not in due]
        for index in due:
            resources = {"num_cpus": self._placement.cpus, "num_gpus": self._placement.gpus}
            function = self._ray.remote(_run_worker).options(max_retries=0, num_returns="streaming", **resources)
            threads = max(1, int(self._placement.cpus))
            self._workers[function.remote(self._task, self._call, threads)] = _WorkerHandle(index)
        if self._to_start and not self._workers:
            time.sleep(_POLL_S)
        return bool(self._to_start)

    def _receive(self, stream: Any) -> Iterator[TrialEvent]:
        worker = self._workers[stream]
        worker.heard = time.monotonic()
        try:
            message = self._ray.get(next(stream))
        except StopIteration:
            # It has nothing left to do, and so have those that have not begun.
            del self._workers[stream]
            self._is_ending = True
            return
        except self._ray.exceptions.RayError as error:
            del self._workers[stream]
            self._check_is_no_fault(error)
            yield from self._on_loss(worker, error)
            return
        if isinstance(message, WorkerFailed):
            raise message.error
        if isinstance(message, WorkerJoined):
            worker.name = message.name
            return
        if isinstance(message, TrialStarted):
            worker.trial = message.number
        elif isinstance(message, TrialEnded):
            worker.trial = None
        yield message
        self._streak.count(message)

    def _check_is_no_fault(self, error: Exception) -> None:
        """Raise RayError if another attempt would fail in the same way: the nodes lack a package, say."""
        faults = self._ray.exceptions
        # A lost node shows as an error of the object store or of the worker.
        if isinstance(error, faults.RuntimeEnvSetupError) or (
            isinstance(error, faults.RayTaskError) and not isinstance(error.cause, faults.RayError)
        ):
            lines = str(error).strip().splitlines()
            raise RayError(f"--ray {self._placement.address}: a worker could not run ({lines[-1][:200]})") from error

    def _on_loss(self, worker: _WorkerHandle, error: Exception) -> Iterator[TrialEvent]:
        """Let others take a lost worker's trial at once, and ask for another worker."""
        is_crash = isinstance(error, self._ray.exceptions.WorkerCrashedError)
        if worker.name:
            self._claims.let_go([worker.name], "crashed" if is_crash else "lost")
        if self._is_ending:
            return
        where = f"with trial {worker.trial}, which is resumed" if worker.trial is not None else "between trials"
        yield Notice(f"worker {worker.index + 1} {'died' if is_crash else 'was lost with its node'} {where}")
        pause = _PAUSES_S[min(self._n_crashes, len(_PAUSES_S) - 1)]
        self._n_crashes += 1
        self._to_start.append((time.monotonic() + pause, worker.index))

    def _drop_idle(self) -> None:
        """Once a worker has found nothing left to do, forget those that have not begun, or are frozen."""
        if self._task.deadline is not None and time.monotonic() > self._task.deadline:
            self._is_ending = True
        if not self._is_ending:
            return
        idle = [stream for stream, worker in self._workers.items() if worker.name is None]
        silent = [s for s, worker in self._workers.items() if time.monotonic() - worker.heard > _SILENCE_S]
        if silent and not running_trials(self._study.get_trials(deepcopy=False)):
            idle += silent
        for stream in idle:
            self._cancel(stream)
            self._workers.pop(stream, None)

    def _check_nodes(self, began: float) -> None:
        if not self._fits() and time.monotonic() - began > _NO_NODE_S:
            raise RayError(
                f"--ray {self._placement.address}: no node can hold a worker ({self._needs()}); use fewer "
                "--cpus-per-worker or --gpus-per-worker, or larger nodes"
            )

    def _fits(self) -> bool:
        """Return True if a node's resources, used or not, can hold a worker."""
        return any(
            node["Alive"]
            and node["Resources"].get("CPU", 0) >= self._placement.cpus
            and node["Resources"].get("GPU", 0) >= self._placement.gpus
            for node in self._ray.nodes()
        )

    def _needs(self) -> str:
        return f"{self._placement.cpus:g} CPUs and {self._placement.gpus:g} GPUs"

    def _end_all(self) -> None:
        names = [worker.name for worker in self._workers.values() if worker.name]
        for stream in self._workers:
            self._cancel(stream)
        if names:
            self._claims.let_go(names)
        self._ray.shutdown()

    def _cancel(self, stream: Any) -> None:
        with contextlib.suppress(Exception):
            self._ray.cancel(stream, force=True)


class _Call:
    """The call as its workers see it, from any node: an actor on this machine, whose clock the deadline is of."""

    def __init__(self, deadline: float | None) -> None:
        self._deadline, self._is_stopping = deadline, False

    def stop(self) -> None:
        """Ask workers to stop."""
        self._is_stopping = True

    def is_stopping(self) -> bool:
        """Return True once the workers should stop."""
        return self._is_stopping

    def left_s(self) -> float | None:
        """Return the seconds that the call still has; None without a limit."""
        return None if self._deadline is None else self._deadline - time.monotonic()


def _run_worker(task: WorkerTask, call: Any, n_threads: int) -> Iterator[object]:
    """Run trials on a node, and yield their events; an error becomes the last of them."""
    ray: Any = import_module("ray")

    def should_stop() -> bool:
        try:
            return bool(ray.get(call.is_stopping.remote(), timeout=_ANSWER_S))
        except ray.exceptions.RayError:
            # This node is cut off from the one that searches; its lease decides what becomes of the trial.
            return False

    try:
        yield WorkerJoined(backend_of(task.paths).claims.worker_name(os.getpid()))
        # Clocks of other machines differ.
        left_s = ray.get(call.left_s.remote())
    except (UserError, OSError) as error:
        yield WorkerFailed(error)
        return
    silence_optuna()
    torch.set_num_threads(n_threads)
    prepare_process()
    task = replace(task, deadline=None if left_s is None else time.monotonic() + left_s)
    with contextlib.closing(worker_events(task, task.runtime, should_stop)) as events:
        yield from events
