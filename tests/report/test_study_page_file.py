"""The study's page as a file: self-contained, small, nothing unescaped, and written whole or not at all."""

import base64
import dataclasses
import hashlib
import re
import shlex
import time
from itertools import pairwise
from pathlib import Path

import pytest
import typer
import yaml

from hpo.cli.commands.show.report import report as report_command
from hpo.report.study_page import PAGE_BYTES, try_to_write_report, write_report
from hpo.storage.database import StudyError
from hpo.storage.open_study import OpenStudy, open_study
from tests.report.conftest import Begin, study_page
from tests.tools import synthetic
from tests.tools.html_pages import HOSTILE, Page

SAMPLE = {"source": "sample", "n_train": 4500, "n_val": 500, "n_test": 1000}


def test_page_is_self_contained_and_forbids_the_network(whole: OpenStudy) -> None:
    source = whole.paths.report.read_text(encoding="utf-8")
    page = Page(source)
    images = page.all("img")
    assert len(images) >= 6 + 25
    assert all(image["src"].startswith("data:image/") and len(image["alt"]) > 15 for image in images)
    assert {tag for tag, _ in page.tags} & {"iframe", "object", "base", "form", "video"} == set()
    outside = [link["href"] for link in page.all("a") if not link["href"].startswith(("#", "../"))]
    assert outside == []
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert "default-src 'none'; img-src data:" in policy
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    visible = re.sub(r'"data:[^"]*"', "", source.replace(script, ""))
    assert re.findall(r"url\(|@import|\{\{|\}\}|\{%|%\}|>None<|\bundefined\b|\bnan\b", visible) == []


def test_page_has_headings_landmarks_sections_and_links_that_resolve(whole: OpenStudy) -> None:
    page = Page(whole.paths.report.read_text(encoding="utf-8"))
    tags = [tag for tag, _ in page.tags]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer")] == [1, 1, 1, 1]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    internal = {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")}
    labels = {attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes}
    assert internal | labels <= set(ids)
    assert all(header["scope"] in ("row", "col") for header in page.all("th"))
    assert tags.count("table") == tags.count("caption")
    assert [button["aria-pressed"] for button in page.all("button")] == ["true", "false", "false", "false"]
    assert [section["id"] for section in page.all("section")] == [
        *("best", "course", "space", "rates", "gallery", "cost", "reproduce"),
    ]
    assert "β is not part of it." in page.text


def test_hostile_text_stays_text(begin: Begin) -> None:
    opened = begin(git_commit=HOSTILE, precision=HOSTILE)
    synthetic.add_trial(opened, 6.5, files={f"{HOSTILE.replace('/', '')}.gif": b"GIF89a"})
    synthetic.add_trial(opened, end=f"failed: {HOSTILE}")
    page = study_page(dataclasses.replace(opened, config_name=HOSTILE))
    assert page.text.count(HOSTILE) + page.text.count(shlex.quote(HOSTILE)) >= 4
    assert len(page.all("script")) == 1
    assert not any("onload" in attributes for _, attributes in page.tags)


@pytest.mark.long
def test_page_of_two_hundred_trials_is_below_ten_megabytes_and_written_in_seconds(begin: Begin) -> None:
    opened = begin()
    synthetic.add_search(opened, 200)
    synthetic.write_ppca_baseline(opened)
    started = time.process_time()
    write_report(opened)
    assert time.process_time() - started < 30, "seconds of a slow core"
    page = Page(opened.paths.report.read_text(encoding="utf-8"))
    assert opened.paths.report.stat().st_size < PAGE_BYTES
    assert len([image for image in page.all("img") if image["alt"].startswith("Reconstructions of")]) >= 200
    assert len(page.all("details")) == 200


# Writing the page


def test_writing_an_unchanged_study_again_gives_the_same_page(whole: OpenStudy) -> None:
    first = whole.paths.report.read_bytes()
    write_report(whole)
    assert whole.paths.report.read_bytes() == first
    assert [path.name for path in whole.paths.report.parent.iterdir()] == ["index.html"]


@pytest.mark.usefixtures("without_figures")
def test_a_page_that_cannot_be_written_is_one_line_and_does_not_fail_the_search(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, 6.5)
    opened.paths.report.parent.write_text("a file where the folder should be")
    line = try_to_write_report(opened)
    assert "could not be written (File exists)" in line and "make report STUDY=small" in line
    opened.paths.report.parent.unlink()
    assert try_to_write_report(opened) == f"The study on one page: {opened.paths.report}"


def test_an_unforeseen_error_of_the_page_is_one_line_and_a_traceback_in_the_log(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = begin()
    monkeypatch.setattr("hpo.report.study_page.draw_figures", lambda *_: 1 / 0)
    line = try_to_write_report(opened)
    page, log = opened.paths.report, opened.paths.errors
    assert line == f"{page}: could not be made (ZeroDivisionError: division by zero); see {log}"
    assert log.read_text().startswith("the study's page\nTraceback")


@pytest.mark.usefixtures("without_figures")
def test_command_writes_the_page_and_names_the_file_to_open(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic.add_trial(begin(), 6.5)
    monkeypatch.chdir(tmp_path)
    report_command("study_configs/small.yaml")
    assert capsys.readouterr().out == "Next: open results/small/report/index.html\n"
    assert "6.500" in (tmp_path / "results/small/report/index.html").read_text()


@pytest.mark.parametrize(("name", "reason"), [("small", "there is no study yet"), ("nothing", "no study file")])
def test_command_without_a_study_exits_with_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, reason: str
) -> None:
    (tmp_path / "study_configs").mkdir()
    (tmp_path / "study_configs/small.yaml").write_text(yaml.safe_dump(synthetic.FILE))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.Exit) as exit_:
        report_command(name)
    assert exit_.value.exit_code == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_study_whose_file_has_changed_is_refused(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.add_trial(begin(), 6.5)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "study_configs/small.yaml"
    path.write_text(path.read_text().replace("seed: 3", "seed: 4"))
    with pytest.raises(StudyError, match=r"seed was 3, is now 4"):
        open_study("small")


def test_a_study_is_shown_with_the_length_of_its_trials_after_its_file_has_got_another(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.add_trial(begin(), 7.0, 6.9, 6.8, 6.7, 6.6, 6.5)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "study_configs/small.yaml"
    path.write_text(path.read_text().replace("epochs: 3", "epochs: 4").replace("report_every: 0.5", "report_every: 1"))
    opened = open_study("small")
    assert (opened.config.training.n_epochs, opened.config.training.report_every) == (3, 0.5)
    assert "trained for 3 epochs" in study_page(opened).text
