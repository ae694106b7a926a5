"""Fixtures of the tests of runs."""

from pathlib import Path

import pytest

from hpo.runs.full_length_run import TrainingRun
from hpo.storage.paths import RunPaths
from model.data.images import ImageData
from model.device import Runtime
from tests.tools.small_run import small_run


@pytest.fixture
def run(few_images: ImageData, runtime: Runtime) -> TrainingRun:
    """A run that has not started, see tests/tools/small_run.py."""
    return small_run(few_images, runtime)


@pytest.fixture
def final(tmp_path: Path) -> RunPaths:
    """Folder in which a run will be; it does not exist yet."""
    return RunPaths(tmp_path / "run")
