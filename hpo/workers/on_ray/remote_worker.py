"""A worker as it runs on a node, and the call that it belongs to."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import torch

from hpo.optuna_logging import silence_optuna
from hpo.storage.backend import backend_of
from hpo.workers.worker_process import WorkerFailed, WorkerTask, worker_events
from model.device import prepare_process
from model.errors import UserError

# Seconds that a worker waits for an answer of its call.
_ANSWER_S = 5.0


@dataclass(frozen=True)
class WorkerJoined:
    """First message of a worker: the name by which claims know it."""

    name: str


class Call:
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


def run_worker(task: WorkerTask, call: Any, n_threads: int) -> Iterator[object]:
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
