"""Searches of other packages, which requirements-peers.txt installs."""

from importlib.util import find_spec
from typing import Any

import pytest

from benchmarks.search.methods import PEERS
from benchmarks.search.protocol import Job
from benchmarks.search.simulator import Budget, simulate
from benchmarks.search.surrogate import Surrogate
from benchmarks.search.table import N_EPOCHS
from hpo.config.hyperparameters import TUTORIAL
from tests.tools.synthetic_curves import SPACE, table, timings, true_curve

TUTORIALS = {name: getattr(TUTORIAL, name) for name in SPACE}
IS_INSTALLED = find_spec("smac") is not None and find_spec("syne_tune") is not None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IS_INSTALLED, reason="needs the packages of requirements-peers.txt"),
]


def trained(peer: str, n_jobs: int) -> list[tuple[Job, int]]:
    """Train so many jobs to where the search stops them; return each with its number of epochs."""
    search, found, n_epochs = PEERS[peer].make(0, SPACE), [], dict[int, int]()
    for _ in range(n_jobs):
        job = search.next()
        assert job is not None
        for epoch in range(n_epochs.get(job.key, 0) + 1, N_EPOCHS + 1):
            n_epochs[job.key] = epoch
            if search.report(job, epoch, float(true_curve(job.values)[epoch - 1])):
                break
        found.append((job, n_epochs[job.key]))
    return found


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_begins_with_the_tutorials_values_stops_at_rungs_and_repeats_itself(peer: str) -> None:
    jobs = trained(peer, 25)
    assert jobs[0][0].values == TUTORIALS
    assert {n_epochs for _, n_epochs in jobs} == ({2, 6, N_EPOCHS} if "syne" in peer else {3, N_EPOCHS})
    assert all(type(value) in (int, float) for job, _ in jobs for value in job.values.values())
    assert trained(peer, 25) == jobs


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_finds_better_values_than_the_tutorials(peer: str) -> None:
    surrogate: Any = Surrogate.fit(table(60), timings())
    unit_s = surrogate.full_length_s
    trace = simulate(PEERS[peer].make(0, SPACE), surrogate, Budget(12 * unit_s, 12 * unit_s))
    assert trace.points[-1].above_target < surrogate.final(TUTORIALS) - surrogate.target - 0.05
