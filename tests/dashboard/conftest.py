"""Fixtures of the tests of the dashboard: a synthetic study, and its server in a thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from hpo.dashboard.server import Server, listen
from hpo.storage.open_study import OpenStudy
from tests.tools import synthetic


@contextmanager
def serving(opened: OpenStudy, host: str = "127.0.0.1", port: int = 0, **options: bool) -> Iterator[Server]:
    """Serve a study, on a free port unless one is given."""
    with listen(opened.paths, host, port, **options) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenStudy:
    """A study with one trial, which has a picture."""
    opened = synthetic.create(tmp_path_factory.mktemp("served"))
    synthetic.add_trial(opened, 6.5, files={"samples.png": synthetic.plot()})
    return opened


@pytest.fixture(scope="module")
def server(opened: OpenStudy) -> Iterator[Server]:
    with serving(opened) as server:
        yield server
