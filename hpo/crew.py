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

from hpo.config import Data
from hpo.crew_member import Failed, Job, be_a_worker
from hpo.database import StudyError
from hpo.interrupt import ignored
from hpo.objective import Event, Notice, TrialEnded, TrialStarted, Workplace
from hpo.paths import StudyPaths
from hpo.tune import Opened
from hpo.workers import FailureStreak, excuse_all, may_stop_after, work
from model.runtime import Runtime

_LEAVE_S = 10.0


@dataclass
class _Member:
    """A worker as its leader sees it: the trials that it has begun and not ended."""

    index: int
    process: BaseProcess
    link: Connection
    trial: int | None = None
    begun: int = 0


class Team(Protocol):
    """Whoever does a call's trials."""

    def events(self) -> Generator[Event]:
        """What happens, as it happens, until all is done or `stop` was heeded."""

    def stop(self) -> None:
        """Leave after the next report."""


def assemble(opened: Opened, n_workers: int) -> Team:
    """This process alone, or so many processes."""
    place, n_total, deadline = opened.place, opened.budget.trials, opened.deadline
    if n_workers == 1:
        return Alone(place, n_total, deadline)
    data = Data(source=place.data.source, root=place.config.data.root, fallback=False)
    return Crew(Job(place.config, data, place.runtime, n_total, deadline, place.plan), n_workers)


class Alone:
    """This process as the one worker."""

    def __init__(self, place: Workplace, n_total: int | None, deadline: float | None) -> None:
        self._place, self._n_total, self._deadline = place, n_total, deadline
        self._stopping = False

    def stop(self) -> None:
        """Leave after the next report."""
        self._stopping = True

    def events(self) -> Generator[Event]:
        """What happens, as it happens."""
        with contextlib.closing(work(self._place, self._n_total, self._deadline)) as events:
            for event in events:
                yield event
                if self._stopping and may_stop_after(event, self._place):
                    return


class Crew:
    """Several processes, each a worker."""

    def __init__(self, job: Job, n_workers: int) -> None:
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

    def events(self) -> Generator[Event]:
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

    def _listen(self, member: _Member) -> Iterator[Event]:
        try:
            message = member.link.recv()
        except (EOFError, OSError):
            yield from self._say_farewell(member)
            return
        if isinstance(message, Failed):
            raise message.error
        if isinstance(message, TrialStarted):
            member.trial, member.begun = message.number, member.begun + 1
        elif isinstance(message, TrialEnded):
            member.trial = None
        yield message
        self._streak.take(message)

    def _say_farewell(self, member: _Member) -> Iterator[Event]:
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

    def _hire(self, index: int, n_workers: int) -> _Member:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        n_threads = max(1, torch.get_num_threads() // n_workers)
        runtime = shared_out(self._job.runtime, index)
        # As daemons, they are not left behind.
        process = context.Process(target=be_a_worker, args=(theirs, self._job, runtime, n_threads), daemon=True)
        with ignored(signal.SIGINT):
            process.start()
        theirs.close()
        return _Member(index, process, ours)

    def _dismiss(self) -> None:
        try:
            for member in self._members:
                member.process.terminate()
            for member in self._members:
                member.process.join(_LEAVE_S)
        finally:
            # Also where Ctrl-C has cut the waiting short.
            if any(member.process.is_alive() for member in self._members):
                excuse_all(self._paths)
            for member in self._members:
                member.process.kill()
                member.process.join()


def shared_out(runtime: Runtime, index: int) -> Runtime:
    """GPUs are dealt round robin, unless one was named."""
    if runtime.device.type != "cuda" or runtime.device.index is not None:
        return runtime
    device = torch.device("cuda", index % torch.cuda.device_count())
    return Runtime(device, runtime.precision, runtime.compiled)


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return signal.Signals(-exit_code).name
    return f"exit status {exit_code}"
