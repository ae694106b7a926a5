"""pPCA's scores of a study that has trials and lost them, or never had them."""

from pathlib import Path

import pytest

import hpo
from hpo.analysis.ppca_baseline import NO_BASELINE, ppca_baseline_of
from tests.tools.fault_injection import checkout, make_images


def test_the_next_call_computes_them_also_if_no_trial_is_left_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    folder = checkout(tmp_path / "checkout", make_images(tmp_path / "images"))
    monkeypatch.chdir(folder)
    config = hpo.load_config("small")
    study = hpo.tune(config, trials=1)
    baseline = ppca_baseline_of(study.study, study.paths)
    assert baseline != NO_BASELINE
    study.paths.ppca_baseline.unlink()
    again = hpo.tune(config, trials=1)
    assert len(again.study.trials) == 1
    assert ppca_baseline_of(again.study, again.paths) == baseline
