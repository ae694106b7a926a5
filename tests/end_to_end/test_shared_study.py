"""Several machines on one study: killed, frozen, cut off, without their database or their files for a while."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from benchmarks.scale.postgres import Postgres
from hpo.config.call_arguments import Location
from tests.tools.fault_injection import ROOT, make_images
from tests.tools.shared_machines import SHORT_LEASES, Machines, output_of, stop_all, wait_for
from tests.tools.tcp_relay import relay_to
from tests.tools.warm_process import WarmProcess

pytestmark = pytest.mark.faults

KILL = ROOT / "tests" / "tools" / "kill_at_call.py"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def machines(tmp_path: Path, images: Path, location: Location) -> Iterator[Machines]:
    made = Machines(tmp_path / "machines", images, location, 6)
    yield made
    stop_all(made)


def test_eight_workers_start_at_once_on_an_empty_database_and_are_killed_at_random(
    tmp_path: Path, images: Path, location: Location
) -> None:
    machines, rng = Machines(tmp_path / "machines", images, location, 40), random.Random(7)
    tunes = [machines.start("tune", program=SHORT_LEASES) for _ in range(8)]
    wait_for(lambda: sum("epoch 1/" in output_of(process) for process in tunes) >= 2, "the first reports")
    for _ in range(12):
        time.sleep(rng.uniform(0.1, 0.8))
        alive = [process for process in machines.processes if process.poll() is None]
        if alive:
            rng.choice(alive).kill()
        machines.start("work", program=SHORT_LEASES)
    machines.finish()
    for process in machines.processes:
        assert process.wait(100) in (0, -signal.SIGKILL), output_of(process)
    machines.audit()


def test_a_frozen_worker_and_one_that_was_cut_off_are_fenced(machines: Machines, server: Postgres) -> None:
    machines.lengthen(150)
    with relay_to(server.port) as relay:
        beyond = machines.location.storage.replace(f":{server.port}/", f":{relay.port}/")
        frozen = machines.start("tune", program=SHORT_LEASES)
        wait_for(lambda: "epoch 2/" in output_of(frozen), "the first report")
        cut_off = machines.start("work", program=SHORT_LEASES, storage=beyond)
        wait_for(lambda: "epoch 2/" in output_of(cut_off), "the first report")
        os.kill(frozen.pid, signal.SIGSTOP)
        relay.cut()
        held = {trial.number for trial in machines.trials() if trial.state == TrialState.RUNNING}
        other = machines.start("work", program=SHORT_LEASES)
        wait_for(lambda: all(f"trial {number}:" in output_of(other) for number in held), "the take-over", 100)
        os.kill(frozen.pid, signal.SIGCONT)
        relay.join()
        for process in machines.processes:
            assert process.wait(200) == 0, output_of(process)
            assert "Traceback" not in output_of(process)
    machines.audit()
    assert all(machines.trials()[number].user_attrs["losses"]["times"] == 1 for number in held)


@pytest.mark.parametrize(
    "moment",
    [
        ("before", "hpo.storage.cluster.objects.object_store.Objects.put", "4"),
        ("after", "hpo.storage.cluster.objects.object_store.Objects.put", "4"),
        ("after", "hpo.storage.cluster.fenced_storage.FencedStorage.report", "2"),
        ("after", "hpo.storage.cluster.fenced_storage.FencedStorage.begin", "1"),
        ("after", "hpo.storage.cluster.database.ClusterDatabase.create_study", "1"),
        ("before", "hpo.storage.cluster.files.ClusterFiles.remove_unneeded", "3"),
    ],
    ids=lambda moment: "-".join((moment[0], moment[1].rpartition(".")[2])),
)
def test_a_worker_that_is_killed_at_any_moment_loses_no_report(machines: Machines, moment: tuple[str, ...]) -> None:
    folder, where = machines.first, machines.location
    arguments = (*moment, "tune", "small", "--storage", where.storage, "--files", where.files)
    killed = WarmProcess(KILL, arguments, folder, log=folder / "killed.log")
    assert killed.wait(100) == -signal.SIGKILL, (folder / "killed.log").read_text()
    # Its leases live for thirty seconds.
    url = where.storage.replace("postgresql:", "postgresql+psycopg:")
    import sqlalchemy

    with sqlalchemy.create_engine(url).begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE hpo_leases SET expires = now()"))
    machines.finish()
    machines.audit()


def test_workers_go_on_after_their_database_has_crashed_twice(machines: Machines, server: Postgres) -> None:
    machines.lengthen(60)
    machines.start("tune", program=SHORT_LEASES)
    wait_for(lambda: "epoch 2/" in output_of(machines.processes[0]), "the first report")
    joined = machines.start("work", program=SHORT_LEASES)
    wait_for(lambda: "epoch 2/" in output_of(joined), "the first report")
    for _ in range(2):
        time.sleep(1)
        server.stop(signal.SIGQUIT)
        time.sleep(1)
        server.start()
    for process in machines.processes:
        assert process.wait(200) == 0, output_of(process)
    machines.audit()


def test_a_stopped_worker_lets_its_trial_go_at_once(machines: Machines) -> None:
    machines.lengthen(60)
    stopped = machines.start("tune")
    wait_for(lambda: "epoch 2/" in output_of(stopped), "the first report")
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(60) == 130
    # With leases of thirty seconds: nobody waits for one to expire.
    other, before = machines.start("work", program=SHORT_LEASES), time.monotonic()
    wait_for(lambda: "trial 0:" in output_of(other), "the trial")
    assert time.monotonic() - before < 20
    follower = machines.start("status", "--follow")
    assert other.wait(200) == 0
    assert follower.wait(60) == 0, output_of(follower)
    assert "1 alive: trial" in output_of(follower) and "6 of 6 configurations ended" in output_of(follower)
    assert output_of(follower).count("6 of 6 configurations ended") == 1, "only what has changed"
    assert "losses" not in machines.trials()[0].user_attrs
    machines.audit()
