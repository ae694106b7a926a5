"""Schema of metrics.json: every entry, their order, and files of older versions."""

import json
from pathlib import Path
from typing import Any

import pytest

from hpo.analysis.run_metrics import (
    ImageCounts,
    ImportanceWeighted,
    RunMetrics,
    SplitScores,
    TrialOrigin,
    entries_of_test_split,
    read_run_metrics,
)
from hpo.storage.paths import SHOWCASE, RunPaths
from hpo.storage.run_record import RunError

ROOT = Path(__file__).resolve().parents[2]
SHOWCASE_FILE = RunPaths(ROOT / SHOWCASE).metrics_json
# A file of a version that did not write `architecture` and `linear_path`.
OLDER_FILE = ROOT / "tests" / "report" / "a_run" / "metrics.json"
# What the older file lacks.
LATER = (
    *("val_bpd_interval", "test_bpd_interval", "codeless_val_bpd", "codeless_bpd"),
    *("trial_expected_bpd", "trial_expected_deviation"),
)
SHOWN: dict[str, Any] = json.loads(SHOWCASE_FILE.read_text()) | {
    "trial_expected_bpd": 5.6,
    "trial_expected_deviation": 0.01,
}
SHOWN["data"] = SHOWN["data"] | {"image_shape": (3, 32, 32)}
ENTRIES: dict[str, Any] = RunMetrics.from_dict(SHOWN).as_dict()


def as_single_run(entries: dict[str, Any]) -> dict[str, Any]:
    """Entries of a run of `hpo train` without --test: no trial, and no score of the test split."""
    names = [name for name in entries if name.startswith("test_") or name in ("ppca_bpd", "codeless_bpd")]
    single = entries | dict.fromkeys(["study", "trial", *names])
    return {name: value for name, value in single.items() if not name.startswith("trial_")}


@pytest.mark.parametrize("entries", [ENTRIES, as_single_run(ENTRIES)], ids=["retrained", "single run"])
def test_reading_and_writing_keeps_every_entry_and_their_order(entries: dict[str, Any]) -> None:
    assert json.dumps(RunMetrics.from_dict(entries).as_dict()) == json.dumps(entries)
    assert RunMetrics.from_dict(entries).val_bpd_interval == tuple(SHOWN["val_bpd_interval"])


def test_no_entry_of_the_showcase_is_lost_or_changed() -> None:
    assert ENTRIES == SHOWN


def test_a_single_run_without_test_has_no_origin_and_no_test_scores() -> None:
    metrics = RunMetrics.from_dict(as_single_run(ENTRIES))
    assert (metrics.origin, metrics.test, metrics.importance_weighted) == (None, None, None)
    assert set(entries_of_test_split(None, None).values()) == {None}


def test_a_file_of_an_older_version_is_read() -> None:
    metrics = read_run_metrics(OLDER_FILE)
    assert (metrics.architecture, metrics.linear_path) == ("plain", False)
    assert metrics.origin == TrialOrigin("cifar10", 0, 6.740410105578637, 3.0)
    assert metrics.data == ImageCounts("cifar10", 45000, 5000, 10000, (3, 32, 32))
    assert metrics.importance_weighted == ImportanceWeighted(64, 1000, 6.382816876601039, 6.403040536532303)
    assert metrics.test == SplitScores(
        bpd=6.393708445069441,
        bpd_interval=None,
        rate_nats=253.66523627395634,
        distortion_nats=-3661.995670228459,
        mse=0.005394669898351034,
        ppca_bpd=6.389517085699809,
        codeless_bpd=None,
    )
    unknown = dict.fromkeys(LATER)
    first: dict[str, Any] = {"architecture": "plain", "linear_path": False}
    older = json.loads(OLDER_FILE.read_text())
    first["data"] = older["data"] | {"image_shape": (3, 32, 32)}
    assert metrics.as_dict() == older | first | unknown


@pytest.mark.parametrize("text", ['{"a":', "[]", '{"study": null}'])
def test_a_damaged_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(RunError, match=r"metrics.json: is damaged .*; move its folder away, and retrain"):
        read_run_metrics(tmp_path / "metrics.json")
