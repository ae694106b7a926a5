"""One worker of several: a process of its own that does trials and tells its leader."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from types import FrameType

import torch
from optuna.exceptions import StorageInternalError

from hpo.config.dataset import load_images
from hpo.config.schema import Data, StudyConfig
from hpo.search.scheduler import Plan
from hpo.storage.claims import mark_claims_as_parent_died
from hpo.storage.create_study import attach_sampler_and_pruner, silence_optuna
from hpo.storage.database import DATABASE_ERRORS, StudyError, existing_study, reason_of
from hpo.storage.error_log import log_traceback
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.worker import may_stop_after, run_trials
from model.device import Runtime, is_out_of_memory, prepare_process
from model.errors import UserError


@dataclass(frozen=True)
class WorkerTask:
    """What every worker of a call is told. `data` names the images that the call found."""

    config: StudyConfig
    data: Data
    runtime: Runtime
    n_total: int | None
    deadline: float | None
    plan: Plan


@dataclass(frozen=True)
class WorkerFailed:
    """A worker's last words: what the user can mend."""

    error: UserError | OSError | StorageInternalError


def worker_main(link: Connection, job: WorkerTask, runtime: Runtime, n_threads: int) -> None:
    """A worker's whole life: events go through `link`, and whatever comes back asks it to leave."""
    # Ctrl-C reaches every process of the terminal; it is the leader who decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, _sigterm_handler(StudyPaths.of(job.config.name)))
        try:
            _work(link, job, runtime, n_threads)
        finally:
            # It leaves anyhow, and an exception while the interpreter shuts down is caught by nobody.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _work(link: Connection, job: WorkerTask, runtime: Runtime, n_threads: int) -> None:
    paths = StudyPaths.of(job.config.name)
    threading.Thread(target=_exit_with_parent, args=(paths,), daemon=True).start()
    silence_optuna()
    torch.set_num_threads(n_threads)
    prepare_process()
    try:
        place = _trial_context(job, runtime, paths)
        with contextlib.closing(run_trials(place, job.n_total, job.deadline)) as events:
            for event in events:
                link.send(event)
                if link.poll() and may_stop_after(event, place):
                    return
    except (UserError, OSError) as error:
        link.send(WorkerFailed(error))
    except DATABASE_ERRORS as error:
        link.send(WorkerFailed(StorageInternalError(reason_of(error))))
    except Exception as error:
        log_traceback("a worker", paths.errors)
        link.send(WorkerFailed(UserError(_failure_message(error, paths))))


def _sigterm_handler(paths: StudyPaths) -> Callable[[int, FrameType | None], None]:
    """Leaves at once, also where a trial is just being taken or let go of: its claim may stay behind."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        mark_claims_as_parent_died(paths)
        raise KeyboardInterrupt

    return leave


def _failure_message(error: Exception, paths: StudyPaths) -> str:
    if is_out_of_memory(error):
        return f"a worker ran out of memory before its first trial ({error}); take fewer workers"
    return f"a worker met a fault of ours ({type(error).__name__}: {error}); please report {paths.errors}"


def _exit_with_parent(paths: StudyPaths) -> None:
    leader = parent_process()
    assert leader is not None
    connection.wait([leader.sentinel])
    mark_claims_as_parent_died(paths)
    os.kill(os.getpid(), signal.SIGKILL)


def _trial_context(job: WorkerTask, runtime: Runtime, paths: StudyPaths) -> TrialContext:
    study = existing_study(job.config.name, paths)
    if study is None:
        raise StudyError(f"{paths.folder}: vanished while it was worked on; put it back, or run the same command again")
    attach_sampler_and_pruner(study, job.config, job.n_total)
    data, _ = load_images(job.data)
    return TrialContext(job.config, paths, study, data.to(runtime.device), runtime, job.plan)
