"""All studies in one dashboard: which are listed, that each shows its own trials and files, and that none changes."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import optuna
import pytest
import typer
from playwright.sync_api import Browser, expect

from hpo.cli.commands.show.dashboard import dashboard
from hpo.dashboard.request_guard import Access
from hpo.dashboard.save_note import save_note
from hpo.dashboard.server import Server, listen_with_all, notice
from hpo.storage.artifacts import dashboard_url
from hpo.storage.database import reopen_trial
from hpo.storage.open_study import OpenStudy
from hpo.storage.side_by_side.combined_storage import CombinedStorage
from hpo.storage.side_by_side.studies_in_results import StudiesInResults
from tests.dashboard.test_server import answer
from tests.tools import synthetic

SAMPLE = {"source": "sample", "n_train": 4500, "n_val": 500, "n_test": 1000}
N_TRIALS = {"first": 2, "second": 3}


def add_trial(opened: OpenStudy, score: float) -> None:
    """Add a trial whose note shows its picture, by the ids in the study's own database."""
    number = synthetic.add_trial(opened, score, files={"samples.png": synthetic.plot()})
    trial = reopen_trial(opened.study, opened.study.trials[number])
    address = dashboard_url(trial, opened.study, "samples.png")
    save_note(trial, f"Note of {opened.config.name}\n\n![Picture of {opened.config.name}]({address})")


def create(folder: Path, name: str, n_trials: int, **attributes: Any) -> OpenStudy:
    opened = synthetic.create(folder, name, **attributes)
    for number in range(n_trials):
        add_trial(opened, 6.5 - 0.1 * number)
    return opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two studies, the second on the bundled sample."""
    monkeypatch.chdir(tmp_path)
    create(tmp_path, "first", 2)
    create(tmp_path, "second", 3, data=SAMPLE)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with listen_with_all(StudiesInResults(), "127.0.0.1", 0) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def get(server: Server, path: str) -> Any:
    return json.load(answer(server, "GET", path))


def listed(server: Server) -> dict[int, str]:
    return {study["study_id"]: study["study_name"] for study in get(server, "/api/studies")["study_summaries"]}


def test_all_studies_are_listed_and_those_of_the_sample_say_so(server: Server) -> None:
    assert listed(server) == {1: "first", 2: "second (bundled sample)"}


def test_each_study_shows_its_own_trials_with_the_picture_of_its_note(server: Server) -> None:
    seen = set()
    for number, (name, n_trials) in enumerate(N_TRIALS.items(), start=1):
        trials = get(server, f"/api/studies/{number}")["trials"]
        assert [trial["note"]["body"].split("\n")[0] for trial in trials] == n_trials * [f"Note of {name}"]
        (artifact,) = trials[-1]["artifacts"]
        in_note = trials[-1]["note"]["body"].partition("](")[2].partition(")")[0]
        own = f"/artifacts/{number}/{trials[-1]['trial_id']}/{artifact['artifact_id']}"
        assert in_note.endswith(artifact["artifact_id"]) and in_note != own
        for path in (in_note, own):
            assert answer(server, "GET", path).read() == synthetic.plot()
        seen |= {trial["trial_id"] for trial in trials}
    assert len(seen) == 5


def test_a_lost_file_is_not_found(server: Server, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    artifacts = folder / "results/first/artifacts"
    artifact_id = next(artifacts.iterdir()).name
    artifacts.rename(folder / "elsewhere")
    assert answer(server, "GET", f"/artifacts/1/1/{artifact_id}").status == 404
    assert capfd.readouterr().err == ""


def test_a_study_appears_when_it_is_created_and_vanishes_when_it_is_moved(server: Server, folder: Path) -> None:
    assert sorted(listed(server)) == [1, 2]
    create(folder, "a-third", 1)
    assert listed(server)[3] == "a-third"
    (folder / "results/first").rename(folder / "elsewhere")
    assert sorted(listed(server)) == [2, 3]
    create(folder, "first", 1)
    assert listed(server)[4] == "first" and len(get(server, "/api/studies/4")["trials"]) == 1


def test_no_study_can_be_changed(server: Server) -> None:
    refused = answer(server, "DELETE", "/api/studies/1", {})
    assert refused.status == 403 and "make dashboard STUDY=quick" in json.load(refused)["reason"]
    assert len(listed(server)) == 2
    assert "can see all studies" in str(notice(Access("0.0.0.0", "secret", shows_all=True)))


def test_optuna_reads_one_study_of_many_by_the_name_that_is_shown(folder: Path) -> None:
    storage = CombinedStorage(StudiesInResults())
    study = optuna.load_study(study_name="second (bundled sample)", storage=storage)
    assert len(study.trials) == 3 and study.best_value == pytest.approx(6.3)
    assert storage.get_trial(study.best_trial._trial_id).number == study.best_trial.number == 2


def test_a_damaged_database_is_left_out_and_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "results/broken").mkdir()
    (folder / "results/broken/study.db").write_text("no database")
    monkeypatch.setattr(Server, "serve_forever", lambda _: None)
    dashboard(port=18_321)
    left_out, address = capsys.readouterr().out.splitlines()
    assert left_out.startswith("Left out: broken in results")
    assert address.startswith("Dashboard of first, second (bundled sample): http://127.0.0.1:")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "results: there is no study yet; run make tune STUDY=quick"),
        ({"storage": "postgresql://server/db", "files": "file:///shared"}, "STUDY: must be given with --storage"),
    ],
)
def test_where_there_is_nothing_to_list_one_line_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.Exit) as exit_:
        dashboard(**options)
    assert exit_.value.exit_code == 2
    assert capsys.readouterr().err.startswith(f"error: {reason}")


@pytest.mark.browser
def test_a_browser_lists_all_studies_and_opens_one_with_its_pictures(server: Server, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 1400, "height": 1800})
    failed: list[str] = []
    page.on("response", lambda response: failed.extend([response.url] * (response.status >= 400)))
    page.goto(server.address)
    for heading in ("1. first", "2. second (bundled sample)"):
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    page.get_by_role("heading", name="2. second (bundled sample)").click()
    page.goto(f"{server.address}/dashboard/studies/2/trials?numbers=2")
    expect(page.get_by_text("samples.png")).to_be_visible()
    expect(page.get_by_alt_text("Picture of second")).to_be_visible()
    page.wait_for_function("document.images.length > 1 && [...document.images].every(i => i.complete)")
    assert page.evaluate("[...document.images].map(i => i.naturalWidth)") == [1300, 1300]
    assert failed == []
    page.close()
