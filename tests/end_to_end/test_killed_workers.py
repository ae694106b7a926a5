"""Several workers on one study, killed, stopped and racing: no trial is lost, run twice or left unfinished."""

import os
import random
import signal
import subprocess
import time
from multiprocessing import get_context
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from hpo.optuna_logging import silence_optuna
from hpo.storage.local.file_locks import wait_for_lock
from hpo.storage.local.sqlite_database import create_database, open_storage
from hpo.storage.paths import StudyPaths
from tests.tools.fault_injection import (
    audit,
    audit_the_end,
    checkout,
    finish,
    load,
    make_images,
    start,
    uninterrupted_scores,
)
from tests.tools.warm_process import WarmProcess

pytestmark = pytest.mark.faults

N_WORKERS, N_TRIALS, EPOCHS = 3, 8, 30
TUNE = ("tune", "small", "--workers", str(N_WORKERS), "--trials", str(N_TRIALS))
N_WRITERS, TRIALS_EACH, REPORTS_EACH = 8, 12, 20


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def folder(images: Path, tmp_path: Path) -> Path:
    """A checkout whose trials are long enough to be killed while they train."""
    folder = checkout(tmp_path / "checkout", images)
    config = folder / "study_configs" / "small.yaml"
    config.write_text(config.read_text().replace("epochs: 3,", f"epochs: {EPOCHS},"))
    return folder


def start_workers(folder: Path) -> WarmProcess:
    """Start a search with workers; return its parent process once the first reports have come."""
    parent = start(folder, *TUNE)
    output = []
    for line in parent.stdout:
        output.append(line)
        if "epoch 2/" in line:
            return parent
    raise AssertionError("".join(output))


def workers_of(parent: WarmProcess) -> list[int]:
    command = ["ps", "-ww", "--ppid", str(parent.pid), "-o", "pid=,args="]
    found = subprocess.run(command, capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "spawn_main" in line]


def is_alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-p", str(pid), "-o", "stat="], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def audit_against_the_reference(folder: Path) -> None:
    """Check that every trial reported, to the last bit, what its values and seed give when trained in one go."""
    audit_the_end(folder, N_TRIALS)
    trials = load(folder).trials
    for trial, reports in zip(trials, uninterrupted_scores(folder, trials), strict=True):
        assert list(trial.intermediate_values.values()) == reports


def test_killed_workers_are_replaced_and_their_trials_resumed(folder: Path) -> None:
    parent = start_workers(folder)
    for victim in workers_of(parent)[:2]:
        os.kill(victim, signal.SIGKILL)
    output, _ = parent.communicate(timeout=300)
    assert parent.returncode == 0, output
    assert output.count("died (SIGKILL)") == 2
    audit_against_the_reference(folder)


@pytest.mark.parametrize("seed", range(2))
def test_a_study_is_complete_after_random_kills_of_workers_and_parent(seed: int, folder: Path) -> None:
    chance = random.Random(seed)
    for _ in range(2):
        parent = start_workers(folder)
        for victim in chance.sample(workers_of(parent), 2):
            time.sleep(chance.uniform(0, 0.7))
            if is_alive(victim):
                os.kill(victim, signal.SIGKILL)
        time.sleep(chance.uniform(0, 0.7))
        parent.kill()
        parent.communicate()
        audit(folder)
    finish(folder, *TUNE)
    audit_against_the_reference(folder)


def test_workers_of_a_killed_parent_exit_and_the_next_call_resumes(folder: Path) -> None:
    parent = start_workers(folder)
    workers = workers_of(parent)
    assert len(workers) == N_WORKERS
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while any(is_alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.1)
    finish(folder, *TUNE)
    audit_against_the_reference(folder)


@pytest.mark.parametrize("signals", [1, 2, 3])
def test_trials_of_workers_that_were_asked_to_stop_are_resumed(signals: int, folder: Path) -> None:
    parent = start_workers(folder)
    for _ in range(signals):
        # As a terminal does: to every process of the group.
        os.killpg(parent.pid, signal.SIGINT)
        time.sleep(0.3)
    output, _ = parent.communicate(timeout=300)
    assert parent.returncode == 130, output
    assert "Traceback" not in output
    finish(folder, *TUNE)
    audit_against_the_reference(folder)
    assert not any("deaths" in trial.user_attrs for trial in load(folder).trials), (
        "a worker that stops on request has not crashed"
    )


def test_status_works_while_workers_start_and_end_trials(folder: Path) -> None:
    parent = start_workers(folder)
    printed: list[str] = []
    while parent.poll() is None and len(printed) < 5:
        printed.append(finish(folder, "status", "small"))
    output, _ = parent.communicate(timeout=300)
    assert parent.returncode == 0, output
    assert any(" alive: trial " in lines for lines in printed)
    audit_against_the_reference(folder)


def write_trials(folder: Path) -> None:
    """Start, report and end trials as fast as the database accepts them."""
    silence_optuna()
    paths = StudyPaths(folder)
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.load_study(study_name="race", storage=open_storage(paths), sampler=sampler)
    for _ in range(TRIALS_EACH):
        with wait_for_lock(paths.claiming_lock):
            trial = study.ask()
        trial.suggest_float("x", 0, 1)
        for step in range(1, REPORTS_EACH + 1):
            trial.report(trial.number + step / 100, step)
        trial.set_user_attr("end", "finished")
        study.tell(trial, trial.number)


def test_nothing_is_lost_when_eight_workers_write_as_fast_as_they_can(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path / "race")
    paths.folder.mkdir()
    create_database(paths.database)
    optuna.create_study(study_name="race", storage=open_storage(paths))
    writers = [get_context("spawn").Process(target=write_trials, args=(paths.folder,)) for _ in range(N_WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(300)
    assert [writer.exitcode for writer in writers] == [0] * N_WRITERS
    trials = optuna.load_study(study_name="race", storage=open_storage(paths)).trials
    assert [trial.number for trial in trials] == list(range(N_WRITERS * TRIALS_EACH))
    for trial in trials:
        assert trial.state == TrialState.COMPLETE and trial.value == trial.number
        assert trial.params.keys() == {"x"} and trial.user_attrs == {"end": "finished"}
        expected = {step: trial.number + step / 100 for step in range(1, REPORTS_EACH + 1)}
        assert trial.intermediate_values == pytest.approx(expected, abs=0)
