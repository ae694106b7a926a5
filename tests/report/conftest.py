"""Fixtures of the tests of pages: synthetic studies, and their pages without the time that figures take."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpo.report.embedded_pictures import Picture
from hpo.report.study_page import PAGE_BYTES, render, write_report
from hpo.report.study_page_data import read_study_page
from hpo.report.study_page_figures import FIGURES
from hpo.report.trial_gallery import trial_cards
from hpo.storage.open_study import OpenStudy
from tests.tools import synthetic
from tests.tools.html_pages import Page

# Numbers of a real run, of an earlier showcase: these tests stay the same when the showcase is made again.
A_RUN = Path(__file__).resolve().parent / "a_run"
# Metrics of the second trial, retrained.
RETRAINED = {
    **{"trial": 1, "trial_val_bpd": 6.5, "trial_epochs": 3.0, "epochs": 20},
    **{"val_bpd": 6.25, "test_bpd": 6.3, "ppca_bpd": 6.4},
}
_NO_PICTURE = Picture("data:,", 10, 10)

Begin = Callable[..., OpenStudy]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Function that creates an empty study in the test's folder."""
    return lambda **settings: synthetic.create(tmp_path, **settings)


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the figures out of study pages: they take most of the time."""
    monkeypatch.setattr("hpo.report.study_page.draw_figures", lambda *_: dict.fromkeys(FIGURES))


def study_page(opened: OpenStudy, *, with_captions: bool = False) -> Page:
    """Render a study's page without figures, or with the captions of all figures but the Pareto front's."""
    page = read_study_page(opened)
    figures = {name: _NO_PICTURE if with_captions and name != "pareto" else None for name in FIGURES}
    return Page(render(page, figures, trial_cards(page.rows, opened, PAGE_BYTES), opened.paths))


def add_retrained_model(opened: OpenStudy, **metrics: Any) -> None:
    """Write the metrics.json of a retrained model into the study's folder."""
    opened.paths.best.folder.mkdir(parents=True)
    entries = json.loads((A_RUN / opened.paths.best.metrics_json.name).read_text())
    opened.paths.best.metrics_json.write_text(json.dumps(entries | metrics))


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory) -> OpenStudy:
    """A study with every kind of trial, and its page with all figures."""
    opened = synthetic.create(tmp_path_factory.mktemp("whole"))
    synthetic.add_search(opened, 25)
    synthetic.write_ppca_baseline(opened)
    add_retrained_model(opened, **RETRAINED)
    write_report(opened)
    return opened
