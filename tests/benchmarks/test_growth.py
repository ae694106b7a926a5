"""Cost of a study as it grows."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.growth import EXPORT, REPORT, STATUS, TABLE, measure_growth
from hpo.optuna_logging import silence_optuna

# Four times the trials: linear parts take four times as long, a square sixteen times.
FEW, MANY, MAX_RATIO = 500, 2_000, 6
# Below, a measurement is noise.
_FLOOR_S = 0.03


@pytest.fixture
def quiet_process() -> Iterator[None]:
    """One thread, and no search for garbage among the objects of earlier tests, which would take longer."""
    import torch

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quiet_process")
def test_no_part_of_a_study_costs_the_square_of_its_trials(tmp_path: Path) -> None:
    silence_optuna()
    readers = (TABLE, STATUS, EXPORT)
    few, many = (measure_growth(tmp_path / f"{n_trials}", n_trials, readers, n_rounds=1) for n_trials in (FEW, MANY))
    assert many[REPORT] < 0.02
    ratios = {operation: seconds / max(few[operation], _FLOOR_S) for operation, seconds in many.items()}
    assert {operation: ratio for operation, ratio in ratios.items() if ratio >= MAX_RATIO} == {}
