"""The study's page: cost of the search, and everything that is needed to repeat it."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from hpo.config.study_file import read_config
from hpo.report.study_page import write_report
from hpo.report.study_page_data import read_study_page
from hpo.storage.open_study import OpenStudy, open_study
from tests.report.conftest import Begin, study_page
from tests.tools import synthetic
from tests.tools.html_pages import Page

SAMPLE = {"source": "sample", "n_train": 4500, "n_val": 500, "n_test": 1000}


def test_page_adds_up_the_cost_of_all_trials(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, *[6.5] * 6)
    synthetic.add_trial(opened, *[7.5] * 2, end="pruned at epoch 1")
    synthetic.add_trial(opened, 7.0, end="running")
    cost = read_study_page(opened).cost
    assert (cost.n_ended, cost.n_finished, cost.n_pruned, cost.n_faulty, cost.n_running) == (2, 1, 1, 0, 1)
    assert (cost.epochs_trained, cost.epochs_saved, cost.saved_share) == (4.5, 2.0, 2 / 6)
    assert (cost.elapsed_s, cost.images_per_second, cost.seconds_per_epoch) == (160.0, 1100.0, 40.0)
    text = study_page(opened).text
    assert "2 min 40 s" in text and "40.0 s, scoring included" in text and "Running trials are included" in text


def test_settings_on_the_page_are_the_studys_file(whole: OpenStudy, tmp_path: Path) -> None:
    source = whole.paths.report.read_text()
    text = Page(source).text
    for fact in ("git checkout 0123456789abcdef0123456789abcdef01234567 make tune STUDY=small", "d1ge57", "3.11.7"):
        assert fact in text
    (settings,) = re.findall(r'aria-label="Settings as YAML"><code>(.*?)</code>', source, re.S)
    (tmp_path / "copied.yaml").write_text(settings)
    assert yaml.safe_load(settings)["seed"] == 3
    assert read_config(tmp_path / "copied.yaml") == whole.config


def test_page_of_a_study_that_fell_back_to_the_sample_names_the_sample_and_warns(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.add_trial(begin(name="small-sample", data=SAMPLE), 6.5)
    (tmp_path / "study_configs/small-sample.yaml").rename(tmp_path / "study_configs/small.yaml")
    monkeypatch.chdir(tmp_path)
    opened = open_study("small")
    assert (opened.config.name, opened.config.data.source) == ("small-sample", "sample")
    text = study_page(opened).text
    assert "These are not CIFAR-10’s numbers." in text and "a sample of CIFAR-10" in text
    assert "make tune STUDY=small-sample" in text and "source: sample" in text


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"source": "folder", "root": "/home/ann/images"}, "{source: folder, root: path/to/images,"),
        ({"source": "folder", "root": "images"}, "{source: folder, root: images,"),
        ({"source": "cifar10", "root": "/home/ann/images"}, "{source: cifar10, root: null,"),
    ],
)
@pytest.mark.usefixtures("without_figures")
def test_page_names_no_folder_of_this_machine(begin: Begin, tmp_path: Path, data: dict[str, str], shown: str) -> None:
    opened = replace(
        begin(file={"data": data}, data=SAMPLE | {"source": data["source"]}),
        config_name=str(tmp_path / "study_configs/small.yaml"),
    )
    for _ in range(2):
        synthetic.add_trial(opened, end="failed: OSError: No space left on device: '/home/ann/my runs/1.png'")
        write_report(opened)
        page = opened.paths.report.read_text(encoding="utf-8")
        assert "/home" not in page and str(tmp_path) not in page
        assert shown in page and "make tune STUDY=small" in page and "No space left on device: …" in page
        synthetic.add_trial(opened, 6.5)


def test_whole_page_names_no_folder_of_this_machine_in_its_pictures_either(whole: OpenStudy) -> None:
    source = whole.paths.report.read_text()
    pictures = [base64.b64decode(content) for content in re.findall(r"data:[\w/+]+;base64,([^\"]+)", source)]
    assert len(pictures) > 20
    folder = str(whole.paths.folder.parent.parent)
    assert folder not in source and not any(folder.encode() in picture for picture in pictures)


@pytest.mark.parametrize(
    ("commit", "warning"),
    [("abc-dirty", "changes that were not committed"), (None, "The commit is not known")],
)
def test_page_warns_of_a_commit_that_is_not_the_code_of_the_study(
    begin: Begin, commit: str | None, warning: str
) -> None:
    opened = begin(git_commit=commit)
    synthetic.add_trial(opened, 6.5)
    text = study_page(opened).text
    assert warning in text
    assert ("git checkout abc make tune" in text) == (commit is not None)


@pytest.mark.parametrize(
    ("budget", "call", "command", "is_repeatable"),
    [
        ({"timeout_minutes": 30}, {}, "make tune STUDY=small ", False),
        ({}, {"trials": 40, "workers": 4}, "make tune STUDY=small TRIALS=40 WORKERS=4", False),
        ({"trials": 6}, {"trials": 6}, "make tune STUDY=small ", True),
    ],
    ids=["time limit", "four workers", "one worker"],
)
def test_page_gives_the_options_of_the_last_call_and_whether_it_repeats(
    begin: Begin, budget: dict[str, int], call: dict[str, int], command: str, is_repeatable: bool
) -> None:
    unset: dict[str, str | int | None] = {
        "trials": None,
        "timeout_minutes": None,
        "workers": 1,
        "device": "CPU, bfloat16",
    }
    calls = [{**unset, **call}] if call else []
    opened = begin(file={"budget": budget} if budget else {}, calls=calls)
    synthetic.add_trial(opened, 6.5)
    text = study_page(opened).text
    assert command in text and ("TRIALS=" in text) == ("TRIALS=" in command)
    assert ("give the same trials" in text, "does not repeat exactly" in text) == (is_repeatable, not is_repeatable)
    assert ("CPU, bfloat16" in text) == bool(call)
