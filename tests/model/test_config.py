"""Configuration of a run: schedules, report points, and files that are older than a field."""

from dataclasses import asdict, replace

import pytest

from model.config import TrainConfig
from model.training.learning_rate_schedule import learning_rate_at


def test_schedules_warm_up_then_hold_or_fall_to_zero() -> None:
    cosine = TrainConfig(learning_rate=1.0, batch_size=10, epochs=10, schedule="cosine", warmup_epochs=2)
    rates = [learning_rate_at(cosine, step, n_train=100) for step in range(100)]
    assert rates[:3] == pytest.approx([0.05, 0.1, 0.15])
    assert rates[20] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[99] < 0.001
    constant = replace(cosine, schedule="constant")
    assert {learning_rate_at(constant, step, 100) for step in range(20, 100)} == {1.0}


def test_report_points_end_with_the_last_epoch() -> None:
    config = TrainConfig(epochs=2, report_every=0.75)
    assert [config.epoch_at(report) for report in range(1, config.n_reports + 1)] == [0.75, 1.5, 2.0]
    assert TrainConfig(epochs=6, report_every=0.1).n_reports == 60


def test_a_file_that_is_older_than_a_field_has_the_fields_first_value() -> None:
    values = asdict(TrainConfig())
    del values["architecture"], values["linear_path"], values["adam_beta2"]
    config = TrainConfig.from_dict(values)
    assert (config.architecture, config.linear_path, config.adam_beta2) == ("plain", False, 0.999)
