"""Budget estimate: configurations, time and disk that a call's budget is enough for."""

import pytest
import torch

from hpo.config.schema import Budget
from hpo.search.successive_halving import Halving
from hpo.workers.budget_estimate import BudgetEstimate, describe, disk_bytes, expected_share
from model.device import Runtime
from tests.search.trial_lists import make_configurations, small_config

HOUR = Budget(timeout_minutes=60)
# Rungs at 1, 2, 4 and 8 of 9: 1/9 of all, 1/9 of a third, 2/9 of a ninth, 4/9 of a 27th, 1/9 of an 81st.
SHARE = (1 + 1 / 3 + 2 / 9 + 4 / 27 + 1 / 81) / 9


def test_under_halving_a_configuration_gets_a_small_share_of_a_full_training() -> None:
    assert expected_share(Halving((1, 2, 4, 8), 3), 9) == pytest.approx(SHARE)
    assert expected_share(None, 9) == 1.0


def test_the_estimate_names_rungs_configurations_and_the_time_reserved_for_confirmation() -> None:
    estimate = BudgetEstimate(images_per_second=1000.0, trial_s=90.0, checkpoint_bytes=40e6)
    runtime, config = Runtime(torch.device("cpu"), "float32"), small_config(top=3, seeds=2)
    line = describe(estimate, config, HOUR, [], estimate.plan(HOUR, 1), runtime)
    n_configurations = round((3600 - 9 * 90) / (SHARE * 90))
    # At least as many as if each were trained to the end.
    assert f"60 min are enough for 31 to {n_configurations} configurations of up to 9 epochs" in line
    assert "(those not among the best 1 in 3 pause after epoch 1, 2, 4, 8)" in line
    assert "14 min of them are reserved to train the best 3 to the end and again with 2 new seeds each" in line
    line = describe(estimate, small_config(top=0), HOUR, [], estimate.plan(HOUR, 1), runtime)
    assert "2 min of them are reserved to train the best to the end" in line
    assert estimate.plan(Budget(timeout_minutes=10), 1).max_reserved_s == 200.0, "a third at most"


def test_the_estimate_counts_the_configurations_that_a_study_has_already() -> None:
    estimate = BudgetEstimate(images_per_second=1000.0, trial_s=90.0, checkpoint_bytes=40e6)
    runtime, config, budget = Runtime(torch.device("cpu"), "float32"), small_config(top=3, seeds=2), Budget(trials=10)
    configurations = make_configurations(*[("pruned", [7.0], {})] * 4)
    line = describe(estimate, config, budget, configurations, estimate.plan(budget, 1), runtime)
    assert f"6 configurations of up to 9 epochs take about {6 * SHARE * 90 / 60:.0f} min to 9 min" in line


def test_halving_affords_more_configurations_and_needs_disk_for_the_paused_ones() -> None:
    estimate = BudgetEstimate(images_per_second=1000.0, trial_s=60.0, checkpoint_bytes=40e6)
    halving, median = small_config(top=0), small_config(top=0, pruner="median")
    assert estimate.n_affordable(median, HOUR, reserved_s=0.0) == 60
    assert estimate.n_affordable(halving, HOUR, reserved_s=0.0) > 2 * 60
    assert estimate.n_affordable(halving, Budget(trials=7, timeout_minutes=60), reserved_s=0.0) == 7
    # 81 configurations, 27 of which pass the first rung: 8 checkpoints each at three rungs and 3 at the fourth.
    n_trials, n_checkpoints = 81 + 27 + 9 + 3 + 1, 3 + 1 + 3 * 8 + 3
    assert disk_bytes(estimate, halving, 81, n_workers=1) == pytest.approx(
        10e6 + 0.7e6 * n_trials + 40e6 * n_checkpoints
    )
    assert disk_bytes(estimate, median, 81, n_workers=2) == pytest.approx(10e6 + 0.7e6 * 81 + 40e6 * 5)
