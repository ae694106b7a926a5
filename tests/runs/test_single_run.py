"""A single run continues with the network that it began with, after the default has changed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from hpo.runs import train as single_run
from hpo.runs.full_length_run import TrainingRun
from hpo.storage.paths import RunPaths
from hpo.storage.run_record import write_record

OPTIONS: dict[str, Any] = {
    **{"beta": 1.0, "latent_dim": 8, "learning_rate": 1e-3, "batch_size": 16, "epochs": 2, "seed": 1},
    **{"reconstruction_interval": "1", "fps": 2.0},
}


def prepared(folder: Path, **options: Any) -> TrainingRun:
    read = single_run.read_options(OPTIONS | options, "sample")
    return single_run.prepare(read, folder, "cpu", with_test=False).run


@pytest.mark.parametrize("is_finished", [False, True])
@pytest.mark.parametrize(
    ("options", "architecture"),
    [
        ({}, "norm_free"),
        ({"architecture": "norm_free"}, "norm_free"),
        ({"architecture": "linear_skip"}, "linear_skip"),
        # Other runs.
        ({"latent_dim": 9}, "linear_skip"),
        ({"reconstruction_interval": "2"}, "linear_skip"),
    ],
)
def test_a_run_keeps_its_network_unless_another_is_named(
    options: dict[str, Any], architecture: str, is_finished: bool, final: RunPaths
) -> None:
    kept = final if is_finished else final.under_way
    kept.folder.mkdir()
    write_record(kept.config, prepared(final.folder, architecture="norm_free").record())
    assert prepared(final.folder, **options).config.architecture == architecture


def test_only_the_former_default_is_kept_and_other_files_are_left_to_the_run(final: RunPaths) -> None:
    final.folder.mkdir()
    write_record(final.config, prepared(final.folder, architecture="plain").record())
    assert prepared(final.folder).config.architecture == "linear_skip"
    final.config.write_text("of: something else")
    assert prepared(final.folder).config.architecture == "linear_skip"


def test_a_run_from_before_the_flips_goes_on_without_them_unless_the_command_names_them(final: RunPaths) -> None:
    final.folder.mkdir()
    write_record(final.config, prepared(final.folder, horizontal_flip=False).record())
    # Not a run from before the flips: it was begun without them by name.
    assert prepared(final.folder).config.horizontal_flip is True
    written = yaml.safe_load(final.config.read_text())
    del written["training"]["horizontal_flip"]
    final.config.write_text(yaml.safe_dump(written))
    assert prepared(final.folder).config.horizontal_flip is False
    assert prepared(final.folder, horizontal_flip=True).config.horizontal_flip is True
    # Another run.
    assert prepared(final.folder, latent_dim=9).config.horizontal_flip is True
