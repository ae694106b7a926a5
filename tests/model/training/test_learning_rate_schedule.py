"""Learning rate over a run, in cases computed by hand."""

import math
from dataclasses import replace

import pytest

from model.config import Schedule, TrainConfig
from model.training.learning_rate_schedule import learning_rate_at

# 100 updates on 100 images, the first 20 of them warm-up.
COSINE = TrainConfig(learning_rate=0.5, batch_size=10, epochs=10, schedule="cosine", warmup_epochs=2)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_warm_up_rises_linearly_to_the_learning_rate(schedule: Schedule) -> None:
    config = replace(COSINE, schedule=schedule)
    rates = [learning_rate_at(config, step, n_train=100) for step in range(20)]
    assert rates == pytest.approx([0.5 * (step + 1) / 20 for step in range(20)])


def test_the_constant_schedule_holds_the_learning_rate() -> None:
    constant = replace(COSINE, schedule="constant")
    assert {learning_rate_at(constant, step, 100) for step in range(19, 100)} == {0.5}


def test_the_cosine_falls_from_the_end_of_the_warm_up_to_the_end_of_the_run() -> None:
    rates = {step: learning_rate_at(COSINE, step, n_train=100) for step in (20, 40, 60, 80, 99)}
    quarter = math.sqrt(0.5) / 2
    last = 0.25 * (1 - math.cos(math.pi / 80))
    assert rates == pytest.approx({20: 0.5, 40: 0.25 + 0.5 * quarter, 60: 0.25, 80: 0.25 - 0.5 * quarter, 99: last})


@pytest.mark.parametrize(
    ("warmup_epochs", "first"),
    # No warm-up; 1.5 updates, rounded up; and one that is longer than the run of 100 updates.
    [(0.0, 0.5), (0.15, 0.25), (1000.0, 0.005)],
)
def test_the_warm_up_is_a_whole_number_of_updates_of_this_run(warmup_epochs: float, first: float) -> None:
    config = replace(COSINE, warmup_epochs=warmup_epochs, schedule="constant")
    assert learning_rate_at(config, 0, n_train=100) == pytest.approx(first)
    assert learning_rate_at(config, 99, n_train=100) == pytest.approx(0.5)
