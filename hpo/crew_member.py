"""One worker of several: a process of its own that does trials and tells its leader."""

import contextlib
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from types import FrameType

import torch
from optuna.exceptions import StorageInternalError

from hpo.config import Data, StudyConfig
from hpo.database import DATABASE_ERRORS, existing_study, reason_of
from hpo.objective import Workplace
from hpo.paths import StudyPaths
from hpo.source import load_images
from hpo.study import prepare, quieten
from hpo.workers import may_stop_after, work
from model.errors import UserError
from model.runtime import Runtime


@dataclass(frozen=True)
class Job:
    """What every worker of a call is told. `data` names the images that the call found."""

    config: StudyConfig
    data: Data
    runtime: Runtime
    n_total: int | None
    deadline: float | None


@dataclass(frozen=True)
class Failed:
    """A worker's last words: what the user can mend."""

    error: UserError | OSError | StorageInternalError


def be_a_worker(link: Connection, job: Job, runtime: Runtime, n_threads: int) -> None:
    """A worker's whole life: events go through `link`, and whatever comes back asks it to leave."""
    # Ctrl-C reaches every process of the terminal; it is the leader who decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_die_with_the_leader, daemon=True).start()
    quieten()
    torch.set_num_threads(n_threads)
    try:
        place = _workplace(job, runtime)
        with contextlib.closing(work(place, job.n_total, job.deadline)) as events:
            for event in events:
                link.send(event)
                if link.poll() and may_stop_after(event, place):
                    return
    except KeyboardInterrupt:
        return
    except (UserError, OSError) as error:
        link.send(Failed(error))
    except DATABASE_ERRORS as error:
        link.send(Failed(StorageInternalError(reason_of(error))))


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _die_with_the_leader() -> None:
    leader = parent_process()
    assert leader is not None
    connection.wait([leader.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)


def _workplace(job: Job, runtime: Runtime) -> Workplace:
    paths = StudyPaths.of(job.config.name)
    study = existing_study(job.config.name, paths)
    assert study is not None, "the leader has opened it"
    prepare(study, job.config)
    data, _ = load_images(job.data)
    return Workplace(job.config, paths, study, data.to(runtime.device), runtime)
