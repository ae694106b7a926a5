"""Budget estimate: configurations, time and disk that a call's budget is enough for."""

import pytest
import torch

from hpo.config.schema import Budget, Training
from hpo.optunahub.samplers.learning_curves.successive_halving import Halving
from hpo.workers.budget_estimate import BudgetEstimate, Speed, describe, disk_bytes, expected_share
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
    plan = estimate.plan(Budget(timeout_minutes=10), 1)
    assert (plan.max_reserved_s, plan.max_confirmation_s) == (200.0, 120.0), "a third and a fifth"
    line = describe(estimate, config, Budget(timeout_minutes=10), [], plan, runtime)
    assert "2 min of them are reserved to train the best to the end" in line, "a fifth is one seed"
    budget = Budget(timeout_minutes=16)
    line = describe(estimate, config, budget, [], estimate.plan(budget, 1), runtime)
    assert "to train the best 2 to the end and again with a new seed each" in line


@pytest.mark.parametrize(
    ("end", "trial_s", "is_said"), [("pruned", 200, False), ("pruned", 201, True), ("finished", 201, False)]
)
def test_the_estimate_says_that_no_training_may_end_where_none_fits_into_the_reserved_time(
    end: str, trial_s: float, is_said: bool
) -> None:
    estimate, budget = BudgetEstimate(1000.0, trial_s, checkpoint_bytes=40e6), Budget(timeout_minutes=10)
    configurations = make_configurations((end, [7.0], {}))
    plan, runtime = estimate.plan(budget, 1), Runtime(torch.device("cpu"), "float32")
    line = describe(estimate, small_config(), budget, configurations, plan, runtime)
    assert ("perhaps none of them ends in this call" in line) == is_said


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


def speed(n_train: int, report_s: float = 1.0) -> Speed:
    return Speed(n_train=n_train, images_per_second=1000.0, report_s=report_s, checkpoint_bytes=40e6)


@pytest.mark.parametrize(
    ("n_train", "budget", "epochs"),
    [
        # A tenth of the time: 60 s, 4 s of training and 1 s of a report each.
        (4_000, Budget(timeout_minutes=10), 12),
        # Trials alone: as with 30 minutes.
        (4_000, Budget(trials=5), 36),
        (45_000, Budget(timeout_minutes=10), 3),
        (100, Budget(timeout_minutes=10), 40),
    ],
)
def test_the_automatic_length_is_a_tenth_of_the_time_within_bounds(n_train: int, budget: Budget, epochs: int) -> None:
    assert speed(n_train).settled(Training(epochs="auto"), budget).epochs == epochs
    assert speed(n_train).settled(Training(epochs=7), budget).epochs == 7


def test_reports_count_as_often_as_they_are_made() -> None:
    training, budget = Training(epochs="auto", report_every=0.25), Budget(timeout_minutes=10)
    assert speed(4_000).settled(training, budget).epochs == 8
    # 12 epochs of 4 s and 48 reports of 1 s.
    assert speed(4_000).estimate(training.model_copy(update={"epochs": 12})).trial_s == 96.0


def test_where_all_trials_of_the_budget_are_taken_only_the_last_trainings_are_estimated() -> None:
    estimate, budget = BudgetEstimate(images_per_second=1000.0, trial_s=90.0, checkpoint_bytes=40e6), Budget(trials=4)
    configurations = make_configurations(*[("pruned", [7.0], {})] * 4)
    plan, runtime = estimate.plan(budget, 1), Runtime(torch.device("cpu"), "float32")
    line = describe(estimate, small_config(top=3, seeds=2), budget, configurations, plan, runtime)
    assert "no new configuration is left to try; 14 min to train the best 3 to the end" in line
    line = describe(estimate, small_config(top=0, pruner="median"), budget, configurations, plan, runtime)
    assert "no new configuration is left to try" in line and "0 s" not in line
