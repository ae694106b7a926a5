"""Worker processes: their devices, and how they exit on signals."""

import os
import signal
import subprocess
import sys
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from hpo.config.schema import Data
from hpo.search.scheduler import Plan
from hpo.storage.local.claims import PARENT_DIED
from hpo.storage.paths import StudyPaths
from hpo.workers.worker_pool import assigned_runtime, blas_threads_of_children
from hpo.workers.worker_process import WorkerTask, worker_main
from model.device import Runtime
from tests.tools.small_study import CONFIG

ROOT = Path(__file__).resolve().parents[2]


def assigned_devices(monkeypatch: pytest.MonkeyPatch, device: str, n_workers: int) -> list[str]:
    """Return the device of every worker on a machine with two GPUs."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    runtime = Runtime(torch.device(device), "bfloat16", compiled=True)
    assigned = [assigned_runtime(runtime, index) for index in range(n_workers)]
    assert all((worker.precision, worker.compiled) == ("bfloat16", True) for worker in assigned)
    return [str(worker.device) for worker in assigned]


def test_gpus_are_assigned_round_robin(monkeypatch: pytest.MonkeyPatch) -> None:
    assert assigned_devices(monkeypatch, "cuda", 5) == ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]


@pytest.mark.parametrize("device", ["cuda:1", "cpu"])
def test_every_worker_uses_a_device_that_was_named(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert assigned_devices(monkeypatch, device, 3) == [device] * 3


def send_sigterm_to_this_process() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def run_worker_with_sigterm(link: Connection, task: WorkerTask, while_it_works: bool) -> None:
    """Run a worker that gets SIGTERM after its end, and before if `while_it_works`."""
    if while_it_works:
        pytest.MonkeyPatch().setattr("hpo.workers.worker_process.silence_optuna", send_sigterm_to_this_process)
    worker_main(link, task, task.runtime, n_threads=1)
    send_sigterm_to_this_process()


@pytest.mark.parametrize("while_it_works", [True, False])
def test_a_worker_exits_on_sigterm_without_a_message(
    while_it_works: bool,
    runtime: Runtime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    claim = StudyPaths.of(CONFIG.name).claim(0)
    claim.parent.mkdir(parents=True)
    claim.touch()
    context = get_context("spawn")
    parent_end, worker_end = context.Pipe()
    task = WorkerTask(CONFIG, StudyPaths.of(CONFIG.name), Data(), "", runtime, n_total=1, deadline=None, plan=Plan())
    worker = context.Process(target=run_worker_with_sigterm, args=(worker_end, task, while_it_works), daemon=True)
    worker.start()
    worker_end.close()
    worker.join(120)
    assert worker.exitcode == -signal.SIGTERM, "an exception on its way up could be taken for a fault of the trial"
    assert capfd.readouterr() == ("", "")
    if while_it_works:
        with pytest.raises(EOFError):
            parent_end.recv()
        assert claim.read_text() == PARENT_DIED, "a claim that stays behind does not count as a crash of its trial"
    else:
        assert "was removed" in str(parent_end.recv().error)


def test_ctrl_c_while_the_program_exits_prints_no_traceback() -> None:
    """A third Ctrl-C may come that late."""
    program = """
import atexit, os, runpy, signal, sys
# A background job inherits that SIGINT is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.argv[1:] = ["unknown"]
runpy.run_module("hpo", run_name="__main__")
"""
    completed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert completed.returncode == 2
    assert "No such command 'unknown'" in completed.stderr
    assert "KeyboardInterrupt" not in completed.stderr


@pytest.mark.parametrize("before", [None, "7"])
def test_a_process_that_is_started_for_a_worker_has_its_threads_for_linear_algebra(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if before:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", before)
    script = "import scipy.linalg, threadpoolctl; print({p['num_threads'] for p in threadpoolctl.threadpool_info()})"
    with blas_threads_of_children(1):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{1}"
    assert os.environ.get("OPENBLAS_NUM_THREADS") == before
