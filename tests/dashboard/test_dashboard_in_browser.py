"""The dashboard as a user sees it: the real commands, a real browser, and a study that is running."""

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
import yaml
from optuna.trial import TrialState
from playwright.sync_api import Browser, Page, expect

from tests.tools import warm_process
from tests.tools.class_folders import write_class_folders
from tests.tools.warm_process import WarmProcess

pytestmark = pytest.mark.browser

STUDY = {
    "data": {"source": "images"},
    "model": {"architecture": "norm_free", "channels": [4, 4, 8, 8]},
    "hyperparameters": {
        "beta": {"low": 0.5, "high": 2.0, "log": True},
        "latent_dim": {"choices": [4, 16]},
        "learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
    },
    "training": {"epochs": 2, "precision": "float32"},
    "budget": {"trials": 8},
    "pruner": {"name": "median", "startup_trials": 1, "warmup_epochs": 1},
    "confirmation": {"top": 0},
    "retrain": {"epochs": 1, "importance_samples": 2},
}
FIGURES = ("rate-distortion", "learning-curves", "score-against-compute")
N_ARTIFACTS = 5


@dataclass(frozen=True)
class Server:
    """A running dashboard: its address, and the file with its output."""

    address: str
    log: Path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    result = warm_process.run("hpo", arguments, folder)
    assert result.returncode == 0, result.stderr
    return result


def study_of(folder: Path, name: str = "small") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder}/results/{name}/study.db")


def serve(folder: Path, name: str, log: Path, *options: str) -> Iterator[Server]:
    process = WarmProcess("hpo", ("dashboard", name, *options), folder, log=log)
    try:
        yield Server(printed_address(log), log)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def printed_address(log: Path) -> str:
    """Wait for the address that the command prints."""
    for _ in range(3000):
        line = re.search(r"Dashboard of results/\w+: (http://[\d.]+:\d+)", log.read_text())
        if line:
            return line[1]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a study that is tuned and retrained."""
    folder = tmp_path_factory.mktemp("dashboard")
    write_class_folders(folder / "images")
    (folder / "study_configs").mkdir()
    (folder / "study_configs" / "small.yaml").write_text(yaml.safe_dump(STUDY))
    run(folder, "tune", "small")
    run(folder, "retrain", "small")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A dashboard that is asked for a port in use."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield from serve(folder, "small", folder / "server.log", "--port", str(taken.getsockname()[1]))


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1400, "height": 1800})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    # Requests that were open when the browser left a page are aborted.
    page.on("requestfailed", lambda r: faults.extend([r.url] * ("ERR_ABORTED" not in (r.failure or ""))))
    page.set_default_timeout(90_000)
    yield page
    page.close()
    assert faults == []


def widths(page: Page) -> dict[str, int]:
    """Return the natural width of each picture of the page by its path, once all are loaded."""
    page.wait_for_function("[...document.images].length && [...document.images].every(i => i.complete)")
    widths_by_path: dict[str, int] = page.evaluate(
        "Object.fromEntries([...document.images].map(i => [new URL(i.src).pathname, i.naturalWidth]))"
    )
    return widths_by_path


def test_a_port_in_use_is_replaced_by_a_free_one_on_this_machine_alone(server: Server) -> None:
    assert server.address.startswith("http://127.0.0.1:")
    assert "token" not in server.log.read_text()


def test_the_dashboard_lists_the_study(server: Server, page: Page) -> None:
    page.goto(server.address)
    expect(page.get_by_role("heading", name="1. small", exact=True)).to_be_visible()


@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED])
def test_a_trial_shows_its_note_and_its_pictures(folder: Path, server: Server, page: Page, state: TrialState) -> None:
    trial = next(trial for trial in study_of(folder).trials if trial.state == state)
    page.goto(f"{server.address}/dashboard/studies/1/trials?numbers={trial.number}")
    end = trial.user_attrs["end"]
    expect(page.get_by_text(f"{end[0].upper()}{end[1:]}.")).to_be_visible()
    expect(page.get_by_role("cell", name="learning_rate")).to_be_visible()
    in_note = page.get_by_alt_text(re.compile("Originals above"))
    expect(in_note).to_be_visible()
    expect(page.get_by_text("learning_curve.png")).to_be_visible()
    loaded = widths(page)
    assert in_note.evaluate("image => image.naturalWidth") > 900
    # The note shows one of the four pictures among the artifacts; the fifth artifact is the table.
    assert len(loaded) == N_ARTIFACTS - 1
    assert all(width > 500 for width in loaded.values())


def test_a_trials_metrics_open_as_a_table(folder: Path, server: Server, page: Page) -> None:
    page.goto(f"{server.address}/dashboard/studies/1/trials?numbers=0")
    page.get_by_label("show artifact table").click()
    expect(page.get_by_text("val_rate_nats").last).to_be_visible()


def test_the_study_shows_its_figures_and_its_retrained_model(server: Server, page: Page) -> None:
    page.goto(f"{server.address}/dashboard/studies/1")
    for name in FIGURES:
        figure = page.locator(f'[id="user-defined-plot:{name}"]')
        expect(figure.locator(".main-svg").first).to_be_visible()
        assert figure.locator("path.point").count() > 0, name
    for name in ("reconstruction_progress.gif", "reconstruction_progress.mp4", "index.html", "metrics.json"):
        expect(page.get_by_text(name)).to_be_visible()
    assert all(width > 500 for width in widths(page).values())
    page.wait_for_function("document.querySelector('video').readyState > 0")


def test_the_note_of_the_study_has_its_results_and_its_animation(folder: Path, server: Server, page: Page) -> None:
    page.goto(f"{server.address}/dashboard/studies/1/note")
    best = study_of(folder).best_trial
    expect(page.get_by_text(f"Best: trial {best.number}, val_bpd {best.value:.4f}")).to_be_visible()
    expect(page.get_by_text("lower is better")).to_be_visible()
    assert [width > 900 for width in widths(page).values()] == [True]


def test_a_study_can_be_browsed_while_it_runs_and_missing_files_are_reported(
    folder: Path, chromium: Browser, tmp_path: Path
) -> None:
    (folder / "study_configs" / "running.yaml").write_text(yaml.safe_dump(STUDY | {"budget": {"trials": 12}}))
    tune_log = tmp_path / "tune.log"
    tuning = WarmProcess("hpo", ("tune", "running"), folder, log=tune_log)
    try:
        while "trial 0: finished" not in tune_log.read_text():
            assert tuning.poll() is None, tune_log.read_text()
            time.sleep(0.2)
        for server in serve(folder, "running", tmp_path / "server.log", "--port", "18080"):
            browse_while_it_grows(server, chromium.new_page(viewport={"width": 1400, "height": 1800}))
    finally:
        tuning.wait(400)
    assert tuning.returncode == 0, tune_log.read_text()
    for log in (tune_log, tmp_path / "server.log"):
        assert "locked" not in log.read_text() and "Traceback" not in log.read_text(), log.read_text()
    check_missing_files(folder, tmp_path / "again.log", chromium)


def browse_while_it_grows(server: Server, page: Page) -> None:
    """New trials appear without a reload, and pages can be opened while the study runs."""
    page.set_default_timeout(90_000)
    page.goto(f"{server.address}/dashboard/studies/1/trials")
    expect(page.get_by_text("Trial 0").first).to_be_visible()
    n_before = page.get_by_text(re.compile(r"^Trial \d+$")).count()
    expect(page.get_by_text(f"Trial {n_before + 1}", exact=True).first).to_be_visible(timeout=300_000)
    for path in ("", "/analytics", "/note", "/trials?numbers=0"):
        page.goto(f"{server.address}/dashboard/studies/1{path}")
        page.wait_for_load_state("networkidle")
    expect(page.get_by_alt_text(re.compile("Originals above"))).to_be_visible()
    page.close()


def check_missing_files(folder: Path, log: Path, chromium: Browser) -> None:
    """Both commands name missing files and the remedy; the dashboard shows its pages without them, and no traceback."""
    store = folder / "results" / "running" / "artifacts"
    store.rename(store.with_name("elsewhere"))
    notice = "results/running/artifacts: 60 of 60 files of the study are missing"
    assert notice in run(folder, "tune", "running").stdout
    for server in serve(folder, "running", log):
        assert notice in log.read_text()
        page = chromium.new_page()
        page.goto(f"{server.address}/dashboard/studies/1/trials?numbers=0")
        expect(page.get_by_text("samples.png")).to_be_visible()
        page.close()
    assert "Traceback" not in log.read_text()
