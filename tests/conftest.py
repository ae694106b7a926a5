"""Fixtures of all tests: small images of known structure, a small study, and a device with exact results."""

import shutil
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
import torch
from playwright.sync_api import Browser, expect, sync_playwright

from model.data.images import ImageData, LabelledImages
from model.device import Runtime

if TYPE_CHECKING:
    from benchmarks.scale.postgres import Postgres
    from hpo.config.call_arguments import Location
    from hpo.workers.trial_context import TrialContext

LONG_TIMEOUT_S = 900
_NUMBERS = count()


def pytest_configure() -> None:
    """Let processes that tests start end by SIGINT: a shell's background job, and all that it starts, ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow tests with one of the markers of long tests more time than pyproject.toml allows the others."""
    for item in items:
        if any(item.get_closest_marker(name) for name in ("slow", "long", "faults", "browser")):
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_S))


def blobs(n_images: int, seed: int) -> LabelledImages:
    """Images that a model can learn: one soft colour gradient each, uint8 (N, 3, 32, 32)."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(n_images, 3, 2, 2, generator=generator)
    images = torch.nn.functional.interpolate(corners, size=32, mode="bilinear")
    pixels = (images * 255).round().to(torch.uint8).contiguous(memory_format=torch.channels_last)
    return LabelledImages(pixels, torch.arange(n_images) % 10)


@pytest.fixture(scope="session")
def data() -> ImageData:
    """320 training, 60 validation and 60 test images."""
    return ImageData(
        "folder", tuple(f"blob {n}" for n in range(10)), blobs(320, 0), blobs(60, 1), blobs(60, 2), digest="blobs"
    )


@pytest.fixture(scope="session")
def few_images() -> ImageData:
    """64 training, 16 validation and 16 test images, for tests that need a training but no learning."""
    return ImageData(
        "folder", tuple(f"blob {n}" for n in range(10)), blobs(64, 0), blobs(16, 1), blobs(16, 2), digest="few blobs"
    )


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    """CPU and float32, where results are the same to the last bit."""
    return Runtime(torch.device("cpu"), "float32")


@pytest.fixture
def context(tmp_path: Path, few_images: ImageData, runtime: Runtime) -> "TrialContext":
    """Context of a new small study, see tests/tools/small_study.py."""
    # Imported only here: tests of the model need no Optuna.
    from hpo.storage.paths import StudyPaths
    from tests.tools.small_study import create_context

    return create_context(StudyPaths(tmp_path / "results" / "small"), few_images, runtime)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the pictures of trials, which take a second per trial."""
    monkeypatch.setattr("hpo.workers.pictures.trial_pictures.draw_trial", lambda *_: [])


@pytest.fixture(scope="session")
def server() -> "Iterator[Postgres]":
    """One server for the tests of a process."""
    from benchmarks.scale import postgres

    if not postgres.IS_INSTALLED:
        pytest.skip("no PostgreSQL server was found (Debian, Ubuntu: sudo apt install postgresql)")
    # Not in a folder of pytest, which closes its own to the server's user whenever another session begins.
    with (
        TemporaryDirectory(prefix="hpo-postgres-") as folder,
        postgres.running_postgres(Path(folder) / "data") as started,
    ):
        yield started


@pytest.fixture
def location(server: "Postgres", tmp_path: Path) -> "Location":
    """An empty database of the server, and an empty folder."""
    from hpo.config.call_arguments import Location

    name = f"study_{next(_NUMBERS)}"
    server.sql(f"CREATE DATABASE {name}")
    return Location(f"{server.url.rpartition('/')[0]}/{name}", f"file://{tmp_path}/store")


CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-sync",
    # Names of other websites in tests. Like after DNS rebinding, they lead to this machine.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]


def chromium_path() -> str | None:
    """Return the path of the system's Chromium; None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless, with timeouts for a busy machine."""
    executable = chromium_path()
    if not executable:
        pytest.skip("no Chromium was found (Debian, Ubuntu: sudo apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS, timeout=180_000)
        expect.set_options(timeout=60_000)
        yield browser
        browser.close()
