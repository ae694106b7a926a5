"""The pPCA baseline of a study: computed once, read afterwards."""

import json
import math
from pathlib import Path

import pytest

from hpo.analysis.ppca_baseline import (
    PpcaBaseline,
    compute_ppca_baseline,
    load_ppca_baseline,
    ppca_verdict,
    trials_that_beat_ppca,
)
from hpo.analysis.trial_table import trial_rows
from hpo.storage.paths import StudyPaths
from model.data.images import ImageData
from tests.tools import synthetic


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


def test_equal_scores_do_not_beat_ppca_and_the_advice_depends_on_overfitting() -> None:
    assert ppca_verdict(6.4, 6.5, overfitted=False).is_beaten
    equal = ppca_verdict(6.5, 6.5, overfitted=False)
    assert (equal.is_beaten, equal.text) == (False, "not beaten, behind by 0.0000: the model is undertrained")
    assert equal.advice.startswith("More epochs")
    overfitted = ppca_verdict(6.6, 6.5, overfitted=True)
    assert overfitted.difference == pytest.approx(-0.1) and overfitted.advice.startswith("Fewer epochs")


def test_finished_trials_are_compared_with_ppca_of_their_own_size(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)
    for score in (6.0, 7.0):
        synthetic.add_trial(opened, score)
    rows = trial_rows(opened.study, opened.config)
    (latent_dim,) = {row.values["latent_dim"] for row in rows}
    assert trials_that_beat_ppca(rows, PpcaBaseline("", {latent_dim: 6.5}, {})) == {0: True, 1: False}
    assert trials_that_beat_ppca(rows, PpcaBaseline("", {latent_dim + 1: math.inf}, {})) == {}
