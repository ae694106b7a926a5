"""Output for scripts: `--json` prints strict JSON alone, with the documented events and fields."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpo.cli.console import print_lines, print_notices
from hpo.cli.json_lines import events
from hpo.cli.json_lines.output import emit, json_lines

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = (ROOT / "docs/scripts.md").read_text().split("\n### ")[1:]
STUDY = {
    "data": {"source": "sample"},
    "hyperparameters": {
        "beta": {"low": 0.3, "high": 3.0, "log": True},
        "latent_dim": 16,
        "batch_size": 128,
        "schedule": "cosine",
    },
    "training": {"epochs": 2},
    "budget": {"trials": 2},
    "confirmation": {"top": 0},
    "retrain": {"epochs": 1, "importance_samples": 2},
}


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def parsed(text: str) -> list[dict[str, Any]]:
    """Parse every line, strictly."""
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hpo", *arguments, "--json"]


def run(folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Run a command; return its exit code, its events and its standard error."""
    done = subprocess.run(command(*arguments), cwd=folder, env=environment(), capture_output=True, text=True)
    return done.returncode, parsed(done.stdout), done.stderr


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def kinds(lines: Sequence[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]


@dataclass(frozen=True)
class Searched:
    folder: Path
    code: int
    lines: list[dict[str, Any]]
    errors: str


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "mini.yaml").write_text(yaml.safe_dump(STUDY))
    return Searched(folder, *run(folder, "tune", "mini.yaml"))


def test_every_event_and_field_is_documented_and_no_other() -> None:
    documented = {
        section.partition("\n")[0]: [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
        for section in SECTIONS
    }
    assert documented == {name: [field.name for field in fields(kind)] for kind, name in events.EVENTS.items()}
    table = (ROOT / "docs/scripts.md").read_text().split("## Events")[1].split("##")[0]
    assert [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")] == list(documented)


def test_numbers_that_are_not_finite_are_null_and_paths_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    with json_lines(True):
        emit(events.RunEnded(Path("a"), Path("a/b"), {"x": float("nan"), "y": [float("inf"), 1.5]}, ()))
    (line,) = parsed(capsys.readouterr().out)
    assert line == {"event": "run_ended", "schema": 1, "folder": "a", "page": "a/b", "failures": []} | {
        "metrics": {"x": None, "y": [None, 1.5]}
    }


def test_lines_for_people_go_to_standard_error_and_notices_are_events(capsys: pytest.CaptureFixture[str]) -> None:
    with json_lines(True):
        print_lines("for people")
        print_notices("for both")
    printed = capsys.readouterr()
    assert (parsed(printed.out), printed.err) == (
        [{"event": "notice", "schema": 1, "text": "for both"}],
        "for people\n",
    )
    print_notices("for people")
    emit(events.Notice("none"))
    assert capsys.readouterr().out == "for people\n"


@pytest.mark.parametrize("name", ["tune", "retrain", "status", "export"])
def test_a_users_mistake_is_an_error_with_its_exit_code(name: str, tmp_path: Path) -> None:
    code, (line,), shown = run(tmp_path, name, "missing")
    assert (code, line["event"], line["exit_code"]) == (2, "error", 2)
    assert line["message"].startswith("no study file missing") and line["message"] in shown


@pytest.mark.slow
def test_a_search_prints_its_events_and_then_its_best_trial(searched: Searched) -> None:
    assert searched.code == 0
    told = [kind for kind in kinds(searched.lines) if kind != "notice"]
    trial = ["trial_started", "trial_reported", "trial_reported", "trial_ended"]
    assert told[:5] == ["search_started", *trial] and told[-1] == "search_ended"
    reports = [line for line in searched.lines if line["event"] == "trial_reported"]
    best = searched.lines[-1]["best"]
    assert best["val_bpd"] == min(line["metrics"]["val_bpd"] for line in reports if line["trial"] == best["trial"])
    assert (searched.folder / searched.lines[-1]["report"]).exists()
    assert "Best: trial" in searched.errors


@pytest.mark.slow
def test_status_and_export_print_one_object(searched: Searched) -> None:
    code, (status,), errors = run(searched.folder, "status", "mini")
    assert (code, errors, status["event"]) == (0, "", "status")
    assert status["best"] == searched.lines[-1]["best"] and status["configurations"] == 2
    code, (exported,), _ = run(searched.folder, "export", "mini")
    assert code == 0 and len(exported["files"]) == 4
    assert all((searched.folder / file).exists() for file in exported["files"])


@pytest.mark.long
def test_a_retraining_prints_its_epochs_and_its_scores(searched: Searched) -> None:
    code, lines, _ = run(searched.folder, "retrain", "mini")
    assert code == 0
    assert [kind for kind in kinds(lines) if kind not in ("notice", "drawing")] == [
        "run_started",
        "run_reported",
        "run_ended",
    ]
    assert lines[0]["trial"] == searched.lines[-1]["best"]["trial"]
    kept = json.loads((searched.folder / lines[-1]["folder"] / "metrics.json").read_text())
    assert lines[-1]["metrics"] == kept and (searched.folder / lines[-1]["page"]).exists()


@pytest.mark.slow
def test_a_single_run_prints_json_alone_also_after_ctrl_c(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("train", "--data", "sample", "--latent-dim", "8", "--batch-size", "128", "--epochs", "50"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    lines: list[dict[str, Any]] = []
    for text in process.stdout:
        lines += parsed(text)
        if kinds(lines).count("run_reported") == 1 and lines[-1]["event"] == "run_reported":
            process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert kinds(lines)[0] == "run_started" and {"notice", "run_reported"} <= set(kinds(lines))
    assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("error", 130)


@pytest.mark.slow
def test_a_reader_that_has_gone_stops_the_command_without_a_word(searched: Searched) -> None:
    process = subprocess.Popen(
        command("status", "mini"),
        cwd=searched.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout and process.stderr
    process.stdout.close()
    assert (process.stderr.read(), process.wait(timeout=60)) == (b"", 1)


@pytest.mark.slow
def test_a_followed_status_is_printed_again_only_if_it_has_changed(searched: Searched) -> None:
    code, lines, _ = run(searched.folder, "status", "mini", "--follow")
    assert (code, kinds(lines)) == (0, ["status"])


def test_the_version_is_printed() -> None:
    done = subprocess.run([sys.executable, "-m", "hpo", "--version"], cwd=ROOT, capture_output=True, text=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert done.returncode == 0 and done.stdout.startswith(f"hpo {project['version']}, commit ")


@pytest.mark.slow
def test_after_ctrl_c_all_lines_are_whole_and_the_last_one_says_so(tmp_path: Path) -> None:
    (tmp_path / "mini.yaml").write_text(yaml.safe_dump(STUDY | {"training": {"epochs": 50}}))
    process = subprocess.Popen(
        command("tune", "mini.yaml"), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    lines: list[dict[str, Any]] = []
    for text in process.stdout:
        lines += parsed(text)
        if lines[-1]["event"] == "trial_reported" and kinds(lines).count("trial_reported") == 1:
            process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert any(line.get("text", "").startswith("Stopping after the current epoch") for line in lines)
    assert (lines[-1]["event"], lines[-1]["interrupted"], lines[-1]["best"]) == ("search_ended", True, None)
