"""A study on a real Ray cluster of local nodes, which are killed, added and frozen."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from hpo.config.call_arguments import Location
from tests.tools.fault_injection import make_images
from tests.tools.shared_machines import Machines, output_of, stop_all, wait_for

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray, of requirements-cluster.txt"),
]

_STORE_BYTES = 100_000_000


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without cores, and three nodes of one core each."""
    # Nodes are processes of this machine: its proxies are none of theirs.
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's workers are nice by default: beside other tests they would get hardly any time.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE_BYTES}
    made = import_module("ray.cluster_utils").Cluster(initialize_head=True, head_node_args=head)
    made.nodes = [made.add_node(num_cpus=1, object_store_memory=_STORE_BYTES) for _ in range(3)]
    yield made
    made.shutdown()


def processes_of(node: Any) -> list[int]:
    """Return the processes of a node: its scheduler, and the workers that this has started."""
    (raylet,) = node.all_processes["raylet"]
    pid = raylet.process.pid
    found = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True).stdout
    return [pid, *map(int, found.split())]


@pytest.fixture
def machines(tmp_path: Path, images: Path, location: Location) -> Iterator[Machines]:
    made = Machines(tmp_path / "machines", images, location, 6)
    yield made
    stop_all(made)


def test_one_node_is_killed_one_added_and_one_frozen_and_every_report_comes_once(
    machines: Machines, cluster: Any
) -> None:
    machines.lengthen(120)
    search = machines.start("tune", "--ray", cluster.address, "--workers", "3")
    wait_for(lambda: all(f"trial {n}: epoch 1/" in output_of(search) for n in range(3)), "three workers", 100)
    killed, frozen, _ = cluster.nodes
    cluster.remove_node(killed, allow_graceful=False)
    cluster.add_node(num_cpus=1, object_store_memory=_STORE_BYTES)
    stopped = processes_of(frozen)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert search.wait(400) == 0, output_of(search)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    time.sleep(2)
    assert "was lost with its node" in output_of(search)
    machines.audit()
    assert not [trial for trial in machines.trials() if trial.state == TrialState.RUNNING]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "auto", "nonsense"])
def test_a_cluster_that_is_not_there_is_one_line_and_nothing_is_written(machines: Machines, address: str) -> None:
    search = machines.start("tune", "--ray", address)
    assert search.wait(100) == 2
    (line,) = output_of(search).splitlines()
    assert line.startswith(f"error: --ray {address}: no Ray cluster was found there (")
    with pytest.raises(KeyError):
        machines.trials()
