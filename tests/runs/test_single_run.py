"""A single run continues with the network that it began with, after the default has changed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpo.runs import train as single_run
from hpo.runs.full_length_run import TrainingRun
from hpo.storage.paths import RunPaths
from hpo.storage.run_record import write_record
from model.config import TrainConfig

OPTIONS: dict[str, Any] = {
    **{"beta": 1.0, "latent_dim": 8, "learning_rate": 1e-3, "batch_size": 16, "epochs": 2, "seed": 1},
    **{"reconstruction_interval": "1", "fps": 2.0},
}


def prepared_config(folder: Path, **options: Any) -> TrainConfig:
    read = single_run.read_options(OPTIONS | options, "sample")
    return single_run.prepare(read, folder, "cpu", with_test=False).run.config


@pytest.mark.parametrize("is_finished", [False, True])
@pytest.mark.parametrize(
    ("options", "architecture"),
    [
        ({}, "norm_free"),
        ({"architecture": "norm_free"}, "norm_free"),
        ({"architecture": "linear_skip"}, "linear_skip"),
        # Another run.
        ({"latent_dim": 9}, "linear_skip"),
    ],
)
def test_a_run_keeps_its_network_unless_another_is_named(
    options: dict[str, Any], architecture: str, is_finished: bool, run: TrainingRun, tmp_path: Path
) -> None:
    paths = RunPaths(tmp_path / "run")
    kept = replace(run, config=prepared_config(tmp_path / "elsewhere", architecture="norm_free"))
    folder = paths if is_finished else paths.under_way
    folder.folder.mkdir()
    write_record(folder.config, kept.record())
    assert prepared_config(paths.folder, **options).architecture == architecture
