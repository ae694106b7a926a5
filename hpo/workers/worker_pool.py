"""Several workers on one machine: processes that share a study, followed from one terminal."""

import contextlib
import signal
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Protocol

import torch

from hpo.config.schema import Data
from hpo.storage.claims import mark_claims_as_parent_died
from hpo.storage.database import StudyError
from hpo.storage.paths import StudyPaths
from hpo.workers.signals import ignored_signal
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialStarted
from hpo.workers.tuning_session import TuningSession
from hpo.workers.worker import FailureStreak, may_stop_after, run_trials
from hpo.workers.worker_process import WorkerFailed, WorkerTask, worker_main
from model.device import Runtime

_STOP_TIMEOUT_S = 10.0


@dataclass
class _WorkerHandle:
    """A worker as its leader sees it: the trials that it has begun and not ended."""

    index: int
    process: BaseProcess
    link: Connection
    trial: int | None = None
    begun: int = 0


class Workers(Protocol):
    """Whoever does a call's trials."""

    def events(self) -> Generator[TrialEvent]:
        """What happens, as it happens, until all is done or `stop` was heeded."""

    def stop(self) -> None:
        """Leave after the next report."""


def start_workers(opened: TuningSession, n_workers: int) -> Workers:
    """This process alone, or so many processes."""
    place, n_total, deadline = opened.place, opened.budget.trials, opened.deadline
    if n_workers == 1:
        return SingleWorker(place, n_total, deadline)
    data = Data(source=place.data.source, root=place.config.data.root, fallback=False)
    return WorkerPool(WorkerTask(place.config, data, place.runtime, n_total, deadline, place.plan), n_workers)


class SingleWorker:
    """This process as the one worker."""

    def __init__(self, place: TrialContext, n_total: int | None, deadline: float | None) -> None:
        self._place, self._n_total, self._deadline = place, n_total, deadline
        self._stopping = False

    def stop(self) -> None:
        """Leave after the next report."""
        self._stopping = True

    def events(self) -> Generator[TrialEvent]:
        """What happens, as it happens."""
        with contextlib.closing(run_trials(self._place, self._n_total, self._deadline)) as events:
            for event in events:
                yield event
                if self._stopping and may_stop_after(event, self._place):
                    return


class WorkerPool:
    """Several processes, each a worker."""

    def __init__(self, job: WorkerTask, n_workers: int) -> None:
        self._job = job
        self._members = [self._hire(index, n_workers) for index in range(n_workers)]
        self._n_workers = n_workers
        self._stopping = False
        self._paths = StudyPaths.of(job.config.name)
        self._streak = FailureStreak(self._paths)

    def stop(self) -> None:
        """Leave after the next report, each."""
        self._stopping = True
        for member in self._members:
            with contextlib.suppress(OSError):
                member.link.send("stop")

    def events(self) -> Generator[TrialEvent]:
        """Yield what happens, until the last worker has left.

        A worker that dies is replaced; its trial goes on from its last report.

        Raises: StudyError: trials fail one after another, or no worker can begin.
                UserError, OSError, StorageInternalError: what a worker met that is not its trial's fault.
        """
        try:
            while self._members:
                ready = connection.wait([member.link for member in self._members])
                for member in [member for member in self._members if member.link in ready]:
                    yield from self._listen(member)
        finally:
            self._dismiss()

    def _listen(self, member: _WorkerHandle) -> Iterator[TrialEvent]:
        try:
            message = member.link.recv()
        except (EOFError, OSError):
            yield from self._say_farewell(member)
            return
        if isinstance(message, WorkerFailed):
            raise message.error
        if isinstance(message, TrialStarted):
            member.trial, member.begun = message.number, member.begun + 1
        elif isinstance(message, TrialEnded):
            member.trial = None
        yield message
        self._streak.take(message)

    def _say_farewell(self, member: _WorkerHandle) -> Iterator[TrialEvent]:
        """Take note of a worker that is gone, and put another in its place where it died at work."""
        member.process.join()
        self._members.remove(member)
        if member.process.exitcode == 0 or self._stopping:
            return
        what = f"with trial {member.trial}, which is taken up again" if member.trial is not None else "between trials"
        yield Notice(f"worker {member.index + 1} died ({_cause(member.process.exitcode)}) {what}")
        if member.begun and not self._stopping:
            self._members.append(self._hire(member.index, self._n_workers))
        elif not self._members and not self._stopping:
            # Another would only die again.
            raise StudyError(f"no worker could begin ({_cause(member.process.exitcode)})")

    def _hire(self, index: int, n_workers: int) -> _WorkerHandle:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        n_threads = max(1, torch.get_num_threads() // n_workers)
        runtime = assigned_runtime(self._job.runtime, index)
        # As daemons, they are not left behind.
        process = context.Process(target=worker_main, args=(theirs, self._job, runtime, n_threads), daemon=True)
        with ignored_signal(signal.SIGINT):
            process.start()
        theirs.close()
        return _WorkerHandle(index, process, ours)

    def _dismiss(self) -> None:
        try:
            for member in self._members:
                member.process.terminate()
            for member in self._members:
                member.process.join(_STOP_TIMEOUT_S)
        finally:
            # Also where Ctrl-C has cut the waiting short.
            if any(member.process.is_alive() for member in self._members):
                mark_claims_as_parent_died(self._paths)
            for member in self._members:
                member.process.kill()
                member.process.join()


def assigned_runtime(runtime: Runtime, index: int) -> Runtime:
    """GPUs are dealt round robin, unless one was named."""
    if runtime.device.type != "cuda" or runtime.device.index is not None:
        return runtime
    device = torch.device("cuda", index % torch.cuda.device_count())
    return Runtime(device, runtime.precision, runtime.compiled)


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return signal.Signals(-exit_code).name
    return f"exit status {exit_code}"
