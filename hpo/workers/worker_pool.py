"""Workers of one call on one machine: this process alone, or a pool of processes that share a study."""

import contextlib
import os
import signal
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Protocol

import torch

from hpo.config.call_arguments import RayPlacement
from hpo.storage.backend import backend_of
from hpo.storage.database import StudyError
from hpo.workers.signals import ignored_signal
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialStarted
from hpo.workers.worker import FailureStreak, run_trials
from hpo.workers.worker_process import WorkerFailed, WorkerTask, worker_main
from model.device import Runtime

_STOP_TIMEOUT_S = 10.0
# NumPy's and SciPy's OpenBLAS reads it when it is loaded.
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


class Workers(Protocol):
    """Workers of one call: this process, or a pool."""

    def events(self) -> Generator[TrialEvent]:
        """Run trials and yield their events, until no work is left or `stop` was called."""

    def stop(self) -> None:
        """Stop after the next report."""


def start_workers(
    context: TrialContext, n_total: int | None, deadline: float | None, n_workers: int, ray: RayPlacement | None = None
) -> Workers:
    """Return this process as the only worker, a pool of `n_workers` processes, or as many workers on a Ray cluster."""
    if n_workers == 1 and ray is None:
        return SingleWorker(context, n_total, deadline)
    data = context.config.data.model_copy(update={"source": context.data.source, "fallback": False})
    task = WorkerTask(
        context.config, context.paths, data, context.data.digest, context.runtime, n_total, deadline, context.plan
    )
    if ray is None:
        return WorkerPool(task, n_workers)
    from hpo.workers.on_ray.ray_workers import RayWorkers

    return RayWorkers(task, context.study, n_workers, ray)


class SingleWorker:
    """This process as the only worker."""

    def __init__(self, context: TrialContext, n_total: int | None, deadline: float | None) -> None:
        self._context, self._n_total, self._deadline = context, n_total, deadline
        self._stopping = False

    def stop(self) -> None:
        """Stop after the next report."""
        self._stopping = True

    def events(self) -> Generator[TrialEvent]:
        """Run trials and yield their events."""
        return run_trials(self._context, self._n_total, self._deadline, should_stop=lambda: self._stopping)


@dataclass
class _WorkerHandle:
    """A worker process as the parent sees it: its current trial, and how many trials it has started."""

    index: int
    process: BaseProcess
    link: Connection
    trial: int | None = None
    n_started: int = 0


class WorkerPool:
    """Several worker processes."""

    def __init__(self, task: WorkerTask, n_workers: int) -> None:
        self._task = task
        self._workers = [self._start(index, n_workers) for index in range(n_workers)]
        self._n_workers = n_workers
        self._stopping = False
        self._paths = task.paths
        self._claims = backend_of(self._paths).claims
        self._streak = FailureStreak(self._paths)

    def stop(self) -> None:
        """Ask every worker to stop after its next report."""
        self._stopping = True
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.link.send("stop")

    def events(self) -> Generator[TrialEvent]:
        """Yield events until the last worker has exited.

        A worker that dies is replaced; its trial is resumed from its last report.

        Raises: TooManyFailures: several trials failed in a row; StudyError: no worker could start.
                UserError, OSError, StorageInternalError: an error of a worker that is not its trial's fault.
        """
        try:
            while self._workers:
                ready = connection.wait([worker.link for worker in self._workers])
                for worker in [worker for worker in self._workers if worker.link in ready]:
                    yield from self._receive(worker)
        finally:
            self._stop_all()

    def _receive(self, worker: _WorkerHandle) -> Iterator[TrialEvent]:
        try:
            message = worker.link.recv()
        except (EOFError, OSError):
            yield from self._on_exit(worker)
            return
        if isinstance(message, WorkerFailed):
            raise message.error
        if isinstance(message, TrialStarted):
            worker.trial, worker.n_started = message.number, worker.n_started + 1
        elif isinstance(message, TrialEnded):
            worker.trial = None
        yield message
        self._streak.count(message)

    def _on_exit(self, worker: _WorkerHandle) -> Iterator[TrialEvent]:
        """Remove a worker that has exited; start another in its place if it died while it worked."""
        worker.process.join()
        self._workers.remove(worker)
        # SIGTERM asks to stop; it may have reached every process at once, and this one has not noticed yet.
        if worker.process.exitcode in (0, -signal.SIGTERM) or self._stopping:
            return
        if worker.process.pid:
            self._claims.let_go([self._claims.worker_name(worker.process.pid)], "crashed")
        where = f"with trial {worker.trial}, which is resumed" if worker.trial is not None else "between trials"
        yield Notice(f"worker {worker.index + 1} died ({_cause(worker.process.exitcode)}) {where}")
        if worker.n_started and not self._stopping:
            self._workers.append(self._start(worker.index, self._n_workers))
        elif not self._workers and not self._stopping:
            # Another would only die again.
            raise StudyError(f"no worker could start ({_cause(worker.process.exitcode)})")

    def _start(self, index: int, n_workers: int) -> _WorkerHandle:
        context = get_context("spawn")
        parent_end, worker_end = context.Pipe()
        runtime, n_threads = assigned_runtime(self._task.runtime, index), assigned_threads(n_workers)
        # As a daemon it does not outlive this process.
        process = context.Process(target=worker_main, args=(worker_end, self._task, runtime, n_threads), daemon=True)
        with ignored_signal(signal.SIGINT), blas_threads_of_children(n_threads):
            process.start()
        worker_end.close()
        return _WorkerHandle(index, process, parent_end)

    def _stop_all(self) -> None:
        try:
            for worker in self._workers:
                worker.process.terminate()
            for worker in self._workers:
                worker.process.join(_STOP_TIMEOUT_S)
        finally:
            # Also when Ctrl-C has cut the waiting short.
            late = [worker.process for worker in self._workers if worker.process.is_alive()]
            if late:
                self._claims.let_go([self._claims.worker_name(process.pid) for process in late if process.pid])
            for worker in self._workers:
                worker.process.kill()
                worker.process.join()


def assigned_runtime(runtime: Runtime, index: int) -> Runtime:
    """Return the runtime of worker `index`: GPUs are assigned round robin, unless one was named."""
    if runtime.device.type != "cuda" or runtime.device.index is not None:
        return runtime
    device = torch.device("cuda", index % torch.cuda.device_count())
    return Runtime(device, runtime.precision, runtime.compiled)


def assigned_threads(n_workers: int) -> int:
    """Return the number of CPU threads of each worker: the threads of this process, shared equally."""
    return max(1, torch.get_num_threads() // n_workers)


@contextlib.contextmanager
def blas_threads_of_children(n_threads: int) -> Iterator[None]:
    """Let processes that start inside use so many threads in NumPy and SciPy; torch's setting does not reach them."""
    before = os.environ.get(_BLAS_THREADS)
    os.environ[_BLAS_THREADS] = str(n_threads)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_BLAS_THREADS]
        else:
            os.environ[_BLAS_THREADS] = before


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return signal.Signals(-exit_code).name
    return f"exit status {exit_code}"
