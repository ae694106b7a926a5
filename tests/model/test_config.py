"""Configuration of a run: report points, and files that are older than a field."""

from dataclasses import asdict

from model.config import TrainConfig


def test_report_points_end_with_the_last_epoch() -> None:
    config = TrainConfig(epochs=2, report_every=0.75)
    assert [config.epoch_at(report) for report in range(1, config.n_reports + 1)] == [0.75, 1.5, 2.0]
    assert TrainConfig(epochs=6, report_every=0.1).n_reports == 60


def test_a_file_that_is_older_than_a_field_has_the_fields_first_value() -> None:
    values = asdict(TrainConfig())
    del values["architecture"], values["linear_path"], values["adam_beta2"]
    config = TrainConfig.from_dict(values)
    assert (config.architecture, config.linear_path, config.adam_beta2) == ("plain", False, 0.999)
