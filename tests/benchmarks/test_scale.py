"""Benchmark of workers that share a study: nothing is lost or doubled, and what would be is counted."""

from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from benchmarks.scale import page
from benchmarks.scale.measure import PrunerName, count_doubled, count_lost, measure_scale, study_config
from benchmarks.scale.postgres import IS_INSTALLED
from benchmarks.scale.workers import Load, Measured
from benchmarks.tables import RESULTS
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES

LOAD = Load(workers=2, trials=2, reports=2)


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["none", "halving"])
def test_workers_on_a_server_lose_and_double_nothing(pruner: PrunerName, tmp_path: Path) -> None:
    if not IS_INSTALLED:
        pytest.skip("no PostgreSQL server was found (Debian, Ubuntu: sudo apt install postgresql)")
    row = measure_scale(tmp_path / "scale", Load(workers=4, trials=12, reports=4), pruner, waits_for_disk=False)
    assert (row.lost, row.doubled) == (0, 0)
    assert row.claims_per_s > 0 and row.client_cpu_s > 0 and row.server_cpu_s > 0
    assert 0 < row.lock_p50_ms <= row.lock_p95_ms and row.lock_p50_ms < row.claim_p95_ms
    assert 0 < row.report_p50_ms <= row.report_p95_ms


def complete(number: int, *steps: int, **attributes: int) -> FrozenTrial:
    scores = dict.fromkeys(steps, 1.0)
    trial = create_trial(state=TrialState.COMPLETE, value=1.0, intermediate_values=scores, user_attrs=attributes)
    trial.number = number
    return trial


def test_what_is_not_in_the_database_is_lost() -> None:
    config, reported = study_config(LOAD, "none"), [("a", 0, 1), ("a", 0, 2), ("b", 1, 1)]
    assert count_lost([complete(0, 1, 2), complete(1, 1, 2)], reported, config) == 0
    assert count_lost([complete(0, 1, 2)], reported[:2], config) == 1, "a trial that was never begun"
    assert count_lost([complete(0, 1, 2), complete(1, 1)], reported, config) == 1, "a report that nobody made"
    assert count_lost([complete(0, 1, 2), complete(1, 2)], reported, config) == 2, "a report that is gone, and a gap"
    running = create_trial(state=TrialState.RUNNING, intermediate_values={1: 1.0})
    running.number = 1
    assert count_lost([complete(0, 1, 2), running], reported, config) == 1, "a trial without an end"


def test_what_two_workers_did_is_doubled() -> None:
    trials = [complete(0, 1, 2), complete(1, 1, 2)]
    first = Measured(claimed=[("a", 0), ("b", 1)], reported=[("a", 0, 1), ("b", 1, 1)])
    assert count_doubled(trials, [first]) == 0
    assert count_doubled(trials, [first, Measured(claimed=[("c", 1)])]) == 1
    assert count_doubled(trials, [first, Measured(reported=[("c", 1, 1)])]) == 1
    continuing = [complete(number, 2, **{CONTINUES: 0}) for number in (2, 3)]
    assert count_doubled([*trials, *continuing], [first]) == 1


def test_the_page_is_what_its_results_make() -> None:
    assert page.PAGE.read_text() == page.page(RESULTS)
