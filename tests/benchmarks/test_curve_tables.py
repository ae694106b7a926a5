"""Tables of learning curves: which runs they need, and that the committed ones are of their configurations."""

from dataclasses import replace

import pytest

from benchmarks.search.grow import stacks
from benchmarks.search.table import CIFAR10, N_EPOCHS, SAMPLE, TABLES, Curve, CurveTable

SMALL = replace(SAMPLE, n_configurations=8)


def curve(index: int, seed: int, last: float, n_epochs: int = N_EPOCHS) -> Curve:
    scores = (*[7.0] * (n_epochs - 1), last)
    return Curve(index, seed, {}, scores, scores, scores, scores)


def test_all_configurations_are_trained_once_and_then_the_best_quarter_again() -> None:
    scores = [6.5, 6.1, 6.9, 6.0, 6.4, 6.3, 6.2, 6.8]
    first = [curve(index, 0, score) for index, score in enumerate(scores[:-1])]
    assert SMALL.outstanding(first) == [(7, 0)]
    assert SMALL.outstanding([*first, curve(7, 0, 6.8)]) == [(3, 1), (1, 1)]
    # A run that diverged is none of the best.
    assert SMALL.outstanding([*first, curve(7, 0, 5.0, n_epochs=2), curve(3, 1, 6.0)]) == [(1, 1)]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_the_committed_runs_are_those_of_the_tables_configurations(table: CurveTable) -> None:
    curves = table.read()
    assert {curve.seed for curve in curves} <= set(table.seeds)
    for found in curves:
        config = table.train_config(found.index, found.seed)
        assert found.values == pytest.approx({name: getattr(config, name) for name in table.space})


def test_runs_side_by_side_have_one_batch_size() -> None:
    runs = [(index, 0) for index in range(60)]
    found = list(stacks(CIFAR10, runs))
    assert sorted(run for stack in found for run in stack) == runs
    for stack in found:
        assert len({CIFAR10.train_config(*run).batch_size for run in stack}) == 1
