"""The pPCA baseline of a study: computed once, read afterwards."""

import json
from pathlib import Path

import pytest

from hpo.analysis.ppca_baseline import compute_ppca_baseline, load_ppca_baseline
from hpo.storage.paths import StudyPaths
from model.data.images import ImageData


def test_a_baseline_without_rates_is_read_and_computed_again(tmp_path: Path, data: ImageData) -> None:
    paths = StudyPaths(tmp_path / "small")
    bpd = compute_ppca_baseline(paths, data, 4)
    contents = json.loads(paths.ppca_baseline.read_text())
    older = {name: contents[name] for name in ("digest", "validation_bpd")}
    paths.ppca_baseline.write_text(json.dumps(older))
    baseline = load_ppca_baseline(paths)
    assert baseline is not None and baseline.bpd == pytest.approx(bpd, abs=1e-6) and baseline.curve == {}
    compute_ppca_baseline(paths, data, 4)
    assert json.loads(paths.ppca_baseline.read_text()) == contents


def test_a_baseline_of_more_dimensions_is_read_and_not_written_again(tmp_path: Path, data: ImageData) -> None:
    paths = StudyPaths(tmp_path / "small")
    bpd = compute_ppca_baseline(paths, data, 4)
    written_ns = paths.ppca_baseline.stat().st_mtime_ns
    assert compute_ppca_baseline(paths, data, 3) == pytest.approx(bpd, abs=1e-6)
    assert paths.ppca_baseline.stat().st_mtime_ns == written_ns
