"""The page that compares studies, and the command that writes it."""

import re
import shutil
from pathlib import Path

import pytest
import typer
from playwright.sync_api import Browser

from hpo.analysis.comparison.compared_study import read_compared_study
from hpo.cli.commands.show.compare import compare
from hpo.report.comparison_page import comparison_page_of, render, write_comparison
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import SHOWCASE, comparison_page
from tests.report.conftest import RETRAINED, add_retrained_model
from tests.report.test_pages_in_browser import open_page
from tests.tools import synthetic
from tests.tools.html_pages import Page

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = {"source": "sample", "n_train": 4500, "n_val": 500, "n_test": 1000}


def create(folder: Path, name: str, *scores: float, **settings: object) -> OpenStudy:
    opened = synthetic.create(folder, name, **settings)  # type: ignore[arg-type]
    for score in scores:
        synthetic.add_trial(opened, score)
    return opened


def retrain(opened: OpenStudy) -> None:
    """Give a study a retrained model, with the pictures of the showcase."""
    add_retrained_model(opened, **RETRAINED)
    for picture in (opened.paths.best.reconstructions, opened.paths.best.samples):
        shutil.copy(ROOT / SHOWCASE / picture.name, picture)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OpenStudy]:
    """Studies on the same images, one without a finished trial, and one on the bundled sample; two are retrained."""
    folder = tmp_path_factory.mktemp("compared")
    studies = {
        "first": create(folder, "first", 6.7, 6.5),
        "second": create(folder, "second", 6.6, 6.3),
        "begun": create(folder, "begun"),
        "tiny": create(folder, "tiny", 6.1, file={"data": {"source": "sample"}}, digest="5a3p1e", data=SAMPLE),
    }
    retrain(studies["first"])
    retrain(studies["second"])
    return studies


@pytest.fixture
def here(studies: dict[str, OpenStudy], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the studies, which is the current one."""
    folder = studies["first"].paths.folder.parents[1]
    monkeypatch.chdir(folder)
    return folder


def page_of(studies: dict[str, OpenStudy], *names: str) -> Page:
    return Page(render(comparison_page_of([read_compared_study(studies[name]) for name in names])))


def test_the_lowest_score_comes_first_with_curves_values_and_retrained_models(
    studies: dict[str, OpenStudy],
) -> None:
    page = page_of(studies, "first", "second", "begun")
    assert "second has the lowest score: 6.300 bits per dimension" in page.text
    assert re.search(r"second\s+6\.3000.*first\s+6\.5000.*begun\s+no trial has finished yet", page.text, re.S)
    assert page.text.count("6.2500") == 2, "both retrained models"
    alts = [image["alt"] for image in page.all("img")]
    assert len(alts) == 5 and alts[0].startswith("Step lines") and "second, first" in alts[0]
    assert "In study begun, no trial has finished yet." in page.text


def test_studies_of_other_images_have_a_section_and_curves_of_their_own(
    studies: dict[str, OpenStudy],
) -> None:
    page = page_of(studies, "first", "tiny", "second")
    assert "has the lowest score" not in page.text.partition("Scores on cifar10")[0]
    assert "Not all scores of these studies compare" in page.text
    assert [section["id"] for section in page.all("section")] == ["group-1", "group-2", "values", "settings"]
    curves = [image["alt"] for image in page.all("img") if image["alt"].startswith("Step lines")]
    assert len(curves) == 2 and not any("tiny" in alt and "first" in alt for alt in curves)
    assert "These are not CIFAR-10’s numbers." in page.text
    assert "tiny (bundled sample)" in page.text


def test_the_command_prints_a_table_and_the_page_to_open(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(["first", "second", "tiny", "first"])
    out = capsys.readouterr().out
    lines = out.splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert [row[0] for row in rows if row[0]] == ["second", "first", "tiny"]
    assert rows[0] == ["second", "cifar10", "2 of 2", "trial 1", "6.3000", "", "6.3000"]
    assert "first: named twice, shown once" in lines
    assert "Scores do not compare" in out
    page = comparison_page(["first", "second", "tiny"])
    assert lines[-1] == f"Next: open {page}" and str(page) == "results/compare/first+second+tiny.html"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_command_writes_where_it_is_told(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(["first", "second"], output=tmp_path / "new" / "both.html")
    assert (tmp_path / "new" / "both.html").exists()
    assert capsys.readouterr().out.endswith(f"Next: open {tmp_path / 'new' / 'both.html'}\n")


@pytest.mark.parametrize(
    ("names", "output", "reasons"),
    [
        (["first"], None, ["name at least two different studies to compare, got first"]),
        (["first", "study_configs/first.yaml"], None, ["name at least two different studies"]),
        (["first", "nothing", "nobody"], None, ["no study file nothing", "no study file nobody"]),
        (["first", "second"], "results", ["--output: must be a file that ends with .html, got results"]),
    ],
)
def test_a_fault_is_one_line_each_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], names: list[str], output: str | None, reasons: list[str]
) -> None:
    before = sorted(here.rglob("*.html"))
    with pytest.raises(typer.Exit) as exit_:
        compare(names, output=Path(output) if output else None)
    assert exit_.value.exit_code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(reasons) and all(reason in line for reason, line in zip(reasons, lines, strict=True))
    assert sorted(here.rglob("*.html")) == before


def test_a_page_of_many_studies_has_a_file_name_that_fits(tmp_path: Path) -> None:
    names = [f"{'long' * 20}{number}" for number in range(6)]
    path, other = comparison_page(names), comparison_page([*names[:-1], "another"])
    assert len(path.name) < 255 and path != other


@pytest.mark.browser
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_opens_from_disk_loads_nothing_and_fits_the_screen(
    chromium: Browser, studies: dict[str, OpenStudy], tmp_path: Path, colours: str, width: int
) -> None:
    path = tmp_path / "page.html"
    write_comparison([read_compared_study(study) for study in studies.values()], path)
    shown = open_page(chromium, path, width, color_scheme=colours)
    assert {url for url in shown.requests if not url.startswith("data:")} == {path.as_uri()}
    sizes = shown.page.evaluate("Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))")
    assert len(sizes) == 6 and min(sizes) > 0
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.messages == []
    shown.page.close()
