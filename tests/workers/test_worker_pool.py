"""Workers: how GPUs and cores are dealt, as far as a machine without a GPU can tell, and how one leaves."""

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
from hpo.storage.paths import StudyPaths
from hpo.workers.worker_pool import assigned_runtime
from hpo.workers.worker_process import WorkerTask, worker_main
from model.device import Runtime
from tests.storage.test_create_study import CONFIG

ROOT = Path(__file__).resolve().parents[2]


def devices(monkeypatch: pytest.MonkeyPatch, asked: str, n_workers: int) -> list[str]:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    runtime = Runtime(torch.device(asked), "bfloat16", compiled=True)
    shares = [assigned_runtime(runtime, index) for index in range(n_workers)]
    assert all((share.precision, share.compiled) == ("bfloat16", True) for share in shares)
    return [str(share.device) for share in shares]


def test_gpus_are_dealt_round_robin(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices(monkeypatch, "cuda", 5) == ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]


@pytest.mark.parametrize("asked", ["cuda:1", "cpu"])
def test_a_device_that_was_named_is_every_workers(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices(monkeypatch, asked, 3) == [asked] * 3


def leave_me() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def work_asked_to_leave(link: Connection, job: WorkerTask, at_work: bool) -> None:
    """A worker that is asked to leave when it has left, and maybe before."""
    if at_work:
        pytest.MonkeyPatch().setattr("hpo.workers.worker_process.silence_optuna", leave_me)
    worker_main(link, job, job.runtime, n_threads=1)
    leave_me()


@pytest.mark.parametrize("at_work", [True, False])
def test_a_worker_that_is_asked_to_leave_in_its_last_moments_ends_quietly(
    at_work: bool, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    claim = StudyPaths.of(CONFIG.name).claim(0)
    claim.parent.mkdir(parents=True)
    claim.touch()
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    job = WorkerTask(CONFIG, Data(), runtime, n_total=1, deadline=None, plan=Plan())
    worker = context.Process(target=work_asked_to_leave, args=(theirs, job, at_work), daemon=True)
    worker.start()
    theirs.close()
    worker.join(120)
    assert worker.exitcode == 0
    assert capfd.readouterr() == ("", "")
    if at_work:
        with pytest.raises(EOFError):
            ours.recv()
        assert "leader" in claim.read_text(), (
            "not its trial's fault, should it be just about to take or to let go of one"
        )
    else:
        assert "was removed" in str(ours.recv().error)


def test_ctrl_c_after_the_last_word_of_the_program_is_not_answered_by_a_traceback() -> None:
    """As when somebody presses it a third time."""
    program = """
import atexit, os, runpy, signal, sys
# A job in the background inherits that it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.argv[1:] = ["unknown"]
runpy.run_module("hpo", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "No such command 'unknown'" in done.stderr
    assert "KeyboardInterrupt" not in done.stderr
