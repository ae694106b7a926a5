"""wandb's own reader finds the study in the offline runs, and nothing was sent."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpo.report.trackers.export_to_tracker import export
from hpo.report.trackers.tracked_trials import tracked_trials
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import TrackerPaths
from tests.tools import warm_process

pytest.importorskip("wandb", reason="needs the packages of requirements-track.txt")


@pytest.fixture(scope="module")
def target(study: OpenStudy, tmp_path_factory: pytest.TempPathFactory) -> TrackerPaths:
    target = TrackerPaths(tmp_path_factory.mktemp("wandb") / "runs")
    export(study, "wandb-offline", target)
    return target


def records(target: TrackerPaths, trial_name: str) -> Iterator[Any]:
    from wandb.proto.wandb_internal_pb2 import Record
    from wandb.sdk.internal.datastore import DataStore

    (path,) = target.wandb_runs.glob(f"*/run-{trial_name}_*.wandb")
    store = DataStore()
    store.open_for_scan(str(path))
    while (data := store.scan_data()) is not None:
        yield Record.FromString(data)


def history(target: TrackerPaths, trial_name: str) -> list[dict[str, Any]]:
    """Return a row for each step; nested names are joined by dots."""
    rows = [record.history for record in records(target, trial_name) if record.WhichOneof("record_type") == "history"]
    return [{".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in row.item} for row in rows]


def test_curves_are_those_of_the_study(study: OpenStudy, target: TrackerPaths) -> None:
    for trial in tracked_trials(study):
        rows = history(target, trial.name)
        assert len(rows) == len(trial.reports)
        for row, report in zip(rows, trial.reports, strict=True):
            assert (row["_step"], row["_timestamp"]) == (report.step, report.time_s)
            shown = {name: value for name, value in row.items() if name[0] != "_" and "/" not in name}
            assert shown == report.metrics


def test_values_scores_and_ends_are_those_of_the_trials(study: OpenStudy, target: TrackerPaths) -> None:
    for trial in tracked_trials(study):
        found = {record.WhichOneof("record_type"): record for record in records(target, trial.name)}
        config = {item.key: json.loads(item.value_json) for item in found["run"].run.config.update}
        assert {name: value for name, value in config.items() if name != "_wandb"} == trial.values | {
            f"trial/{name}": value for name, value in trial.tags.items()
        }
        assert (found["run"].run.project, found["run"].run.display_name) == ("small", trial.name)
        assert found["exit"].exit.exit_code == int(trial.has_failed)
        updates = [item for r in records(target, trial.name) for item in r.summary.update]
        summary = {item.key: json.loads(item.value_json) for item in updates if item.key.startswith("final/")}
        assert summary == trial.final


def test_pictures_are_the_stored_files(study: OpenStudy, target: TrackerPaths) -> None:
    trial = next(tracked_trials(study))
    *_, last = history(target, trial.name)
    (folder,) = target.wandb_runs.glob(f"*{trial.name}*")
    for name, path in trial.pictures.items():
        stored = Path(folder, "files", last[f"pictures/{Path(name).stem}.path"])
        assert stored.read_bytes() == path.read_bytes()


def test_a_second_export_has_the_same_runs(study: OpenStudy, target: TrackerPaths) -> None:
    def ids() -> list[str]:
        return sorted(path.stem for path in target.wandb_runs.glob("*/*.wandb"))

    before = ids()
    export(study, "wandb-offline", target)
    assert len(before) == 4 and ids() == before


@pytest.mark.slow
def test_nothing_is_sent(study: OpenStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), address)
        variables = proxies | {"WANDB_BASE_URL": address, "WANDB_API_KEY": 40 * "0", "WANDB_MODE": "online"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        arguments = ("export", "small", "--to", "wandb-offline", "--output", str(tmp_path / "runs"))
        done = warm_process.run("hpo", arguments, study.paths.folder.parents[1])
        assert done.returncode == 0, done.stderr
        # A connection would wait here.
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    assert (tmp_path / "runs" / "wandb").is_dir()
