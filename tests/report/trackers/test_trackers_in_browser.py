"""A study in the pages of real servers, in a real browser."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from hpo.report.trackers.export_to_tracker import export
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import Tracker, TrackerPaths
from tests.tools import tracker_servers

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not find_spec("mlflow"), reason="needs the packages of requirements-track.txt"),
]


def size_of(picture: Locator) -> tuple[int, int]:
    """Return the width and height that the browser found in the picture's file."""
    expect(picture).to_have_js_property("complete", True)
    width, height = picture.evaluate("img => img.decode().then(() => [img.naturalWidth, img.naturalHeight])")
    return width, height


def written(study: OpenStudy, tracker: Tracker, folder: Path) -> Path:
    """Write the study, then move it, as a user does who copies it to another machine; return its folder."""
    export(study, tracker, TrackerPaths(folder / "written"))
    return (folder / "written").rename(folder / "moved")


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1400, "height": 1200})
    page.set_default_timeout(90_000)
    yield page
    page.close()


def test_tensorboard_shows_curves_values_and_pictures(study: OpenStudy, tmp_path: Path, page: Page) -> None:
    with tracker_servers.tensorboard(written(study, "tensorboard", tmp_path)) as address:
        page.goto(f"{address}/#timeseries")
        page.get_by_role("button", name="Expand group").filter(has_text="val_bpd").click()
        card = page.locator("scalar-card").last
        # Name, smoothed value, value, step.
        expect(card).to_contain_text(re.compile(r"trial_0000\s+7\.\d+\s+7\.25\s+2\b"))
        expect(card).to_contain_text(re.compile(r"trial_0001\s+7\.75\s+7\.75\s+1\b"))
        page.goto(f"{address}/#hparams")
        page.reload()
        for text in ("trial_0002", "beta", "0.50000", "final val_bpd", "7.2500"):
            expect(page.get_by_text(text, exact=True).first).to_be_attached()
        page.goto(f"{address}/#images")
        page.reload()
        pictures = page.locator("tf-image-loader img")
        expect(pictures).to_have_count(2)
        sizes = [(8, 8), (640, 512)]
        assert sorted(size_of(pictures.nth(n)) for n in range(2)) == sizes


@pytest.mark.skipif(tracker_servers.mlflow_program() is None, reason="needs the Makefile's .mlflow-server")
def test_mlflow_shows_runs_scores_and_pictures(study: OpenStudy, tmp_path: Path, page: Page) -> None:
    with tracker_servers.mlflow(written(study, "mlflow", tmp_path)) as address:
        page.goto(f"{address}/#/experiments/1/runs")
        for name in ("trial_0001", "trial_0002", "trial_0003"):
            expect(page.get_by_role("link", name=name).first).to_be_visible()
        page.get_by_role("link", name="trial_0000").first.click()
        for text in ("final/val_bpd", "7.25", "beta", "0.5"):
            expect(page.get_by_text(text, exact=True).first).to_be_visible()
        page.goto(f"{page.url}/artifacts/samples.png")
        assert size_of(page.locator("img[src^='blob:']").first) == (640, 512)
