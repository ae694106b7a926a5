"""Worker process of a pool: run trials and send their events to the parent process."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection

import torch
from optuna.exceptions import StorageInternalError

from hpo.config.dataset_with_fallback import load_images
from hpo.config.schema import Data, StudyConfig
from hpo.optuna_logging import silence_optuna
from hpo.search.scheduler import Plan
from hpo.storage.backend import backend_of, existing_study
from hpo.storage.cluster.images import fetch_images
from hpo.storage.create_study import attach_sampler_and_pruner
from hpo.storage.database import DATABASE_ERRORS, reason_of, removed_study
from hpo.storage.error_log import log_traceback
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEvent
from hpo.workers.worker import run_trials
from model.device import Runtime, is_out_of_memory, prepare_process
from model.errors import UserError


@dataclass(frozen=True)
class WorkerTask:
    """Arguments of every worker of a call. `data` names the images that the call has loaded, `digest` is theirs."""

    config: StudyConfig
    paths: StudyPaths
    data: Data
    digest: str
    runtime: Runtime
    n_total: int | None
    deadline: float | None
    plan: Plan


@dataclass(frozen=True)
class WorkerFailed:
    """Last message of a worker that stops because of an error which the user can fix."""

    error: UserError | OSError | StorageInternalError


def worker_main(link: Connection, task: WorkerTask, runtime: Runtime, n_threads: int) -> None:
    """Run trials until no work is left; send every event through `link`. Any message received asks to stop."""
    paths = task.paths
    # Ctrl-C reaches every process of the terminal; the parent process decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _exit_at_once(paths))
    _run(link, task, paths, runtime, n_threads)


def _run(link: Connection, task: WorkerTask, paths: StudyPaths, runtime: Runtime, n_threads: int) -> None:
    threading.Thread(target=_exit_with_parent, args=(paths,), daemon=True).start()
    silence_optuna()
    torch.set_num_threads(n_threads)
    prepare_process()
    with contextlib.closing(worker_events(task, runtime, should_stop=link.poll)) as events:
        for event in events:
            link.send(event)


def worker_events(
    task: WorkerTask, runtime: Runtime, should_stop: Callable[[], bool]
) -> Generator[TrialEvent | WorkerFailed]:
    """Run trials in this process and yield their events; an error becomes the last of them."""
    paths = task.paths
    try:
        context = _trial_context(task, runtime, paths)
        with contextlib.closing(run_trials(context, task.n_total, task.deadline, should_stop)) as events:
            yield from events
    except (UserError, OSError) as error:
        yield WorkerFailed(error)
    except DATABASE_ERRORS as error:
        yield WorkerFailed(StorageInternalError(reason_of(error)))
    except Exception as error:
        log_traceback("a worker", paths.errors)
        yield WorkerFailed(UserError(_failure_message(error, paths)))


def _failure_message(error: Exception, paths: StudyPaths) -> str:
    if is_out_of_memory(error):
        return f"a worker ran out of memory before its first trial ({error}); use fewer workers"
    return f"a worker failed by a bug in this program ({type(error).__name__}: {error}); please report {paths.errors}"


def _exit_with_parent(paths: StudyPaths) -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    backend_of(paths).claims.let_go()
    os.kill(os.getpid(), signal.SIGKILL)


def _exit_at_once(paths: StudyPaths) -> None:
    """Exit by SIGTERM: all up to the last report is saved, and a library could catch an exception on its way up.

    A trial that is being claimed or released may stay claimed.
    """
    backend_of(paths).claims.let_go()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _trial_context(task: WorkerTask, runtime: Runtime, paths: StudyPaths) -> TrialContext:
    study = existing_study(task.config.name, paths)
    if study is None:
        raise removed_study(paths)
    with backend_of(paths).claims.deciding(study):
        attach_sampler_and_pruner(study, task.config, task.n_total)
    data = fetch_images(paths, task.digest) if paths.location else load_images(task.data)[0]
    return TrialContext(task.config, paths, study, data.to(runtime.device), runtime, task.plan)
