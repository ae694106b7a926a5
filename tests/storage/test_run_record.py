"""Record of a run."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from hpo.storage.run_record import RunError, RunRecord, read_record, write_record
from model.config import TrainConfig


def fields(**changed: Any) -> dict[str, Any]:
    return {
        "study": None,
        "trial": None,
        "data": {"source": "sample", "root": "bilder/größe", "digest": "0"},
        "precision": "float32",
        "compiled": False,
        "reconstruction_interval": 1,
        # Below the lower limit of today.
        "fps": 0.01,
        "training": asdict(TrainConfig()),
    } | changed


def test_a_record_of_an_earlier_version_is_read_plain_and_with_its_frame_rate() -> None:
    training = asdict(TrainConfig())
    del training["architecture"], training["linear_path"], training["adam_beta2"]
    record = RunRecord.model_validate(fields(training=training))
    assert (record.training.architecture, record.fps) == ("plain", 0.01)


def test_a_record_may_name_a_setting_that_is_gone_if_it_did_nothing() -> None:
    training = asdict(TrainConfig())
    assert RunRecord.model_validate(fields(training=training | {"weight_decay": 0.0})).training == TrainConfig()
    with pytest.raises(ValidationError):
        RunRecord.model_validate(fields(training=training | {"weight_decay": 0.1}))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record, path = RunRecord.model_validate(fields()), tmp_path / "config.yaml"
    write_record(path, record)
    assert read_record(path) == record
    assert list(yaml.safe_load(path.read_text(encoding="utf-8"))) == list(fields()), "in the documented order"


def test_runs_are_the_same_whatever_their_frame_rates() -> None:
    record = RunRecord.model_validate(fields())
    assert record.is_same_run(RunRecord.model_validate(fields(fps=8.0)))
    assert not record.is_same_run(RunRecord.model_validate(fields(trial=3)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "{folder}: holds no run (there is no config.yaml in it)"),
        (b"\xff\xfe\xfa", "{folder}/config.yaml: is not the record of a run (not YAML)"),
        (b"training: [", "{folder}/config.yaml: is not the record of a run (not YAML)"),
        (
            yaml.safe_dump(fields(training="fast")).encode(),
            "{folder}/config.yaml: is not the record of a run (Input should be a dictionary or an instance of "
            "TrainConfig)",
        ),
    ],
)
def test_a_folder_without_a_readable_record_is_named(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError) as error:
        read_record(path)
    assert str(error.value) == reason.format(folder=tmp_path)
