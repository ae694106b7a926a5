"""A study in a real PostgreSQL server, whose files are in a folder."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from hpo.config.call_arguments import Location
from hpo.storage.backend import backend_of
from hpo.storage.cluster.fenced_storage import FencedStorage
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from model.data.images import ImageData
from model.device import Runtime
from tests.tools.small_study import create_context, reopen


@pytest.fixture
def shared(location: Location, tmp_path: Path, few_images: ImageData, runtime: Runtime) -> TrialContext:
    """Context of a new small study that machines share."""
    return create_context(StudyPaths(tmp_path / "results" / "small", location), few_images, runtime)


@pytest.fixture
def another_machine(shared: TrialContext, tmp_path: Path) -> Callable[[], TrialContext]:
    """Open the same study as another process would, with its own connections and leases."""
    numbers = count()

    def open_again() -> TrialContext:
        paths = replace(shared.paths, folder=tmp_path / f"machine_{next(numbers)}" / "small")
        return reopen(shared, paths)

    return open_again


def storage_of(context: TrialContext) -> FencedStorage:
    """Return the storage of a study that machines share."""
    storage = backend_of(context.paths).database.open_storage()
    assert isinstance(storage, FencedStorage)
    return storage
