"""The workers of one call, as the process that searches sees them."""

import contextlib
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from optuna.study import Study

from hpo.config.call_arguments import RayPlacement
from hpo.search.configurations import running_trials
from hpo.storage.backend import backend_of
from hpo.workers.on_ray.cluster import RayError
from hpo.workers.on_ray.remote_worker import Call, WorkerJoined, run_worker
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialStarted
from hpo.workers.worker import FailureStreak
from hpo.workers.worker_process import WorkerFailed, WorkerTask

_POLL_S = 1.0
# So long nothing is heard of a worker that has nothing left to do before it counts as lost.
_SILENCE_S = 10.0
# Pauses before a worker that has died is started again.
_PAUSES_S = (1.0, 5.0, 15.0, 60.0)
# So long this call waits for a node that can hold a worker.
_NO_NODE_S = 900.0


@dataclass
class _WorkerHandle:
    """A worker as this process sees it."""

    index: int
    name: str | None = None
    trial: int | None = None
    heard: float = field(default_factory=time.monotonic)


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
        self._call = ray.remote(Call).options(num_cpus=0, scheduling_strategy=here).remote(task.deadline)
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
            function = self._ray.remote(run_worker).options(max_retries=0, num_returns="streaming", **resources)
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
