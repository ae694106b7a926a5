"""What `make showcase` copies and writes, from a study of known trials and the files of a real run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
import typer
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from hpo.analysis.ppca_baseline import ppca_verdict
from hpo.analysis.run_metrics import RunMetrics
from hpo.storage.paths import SHOWCASE, RunPaths
from scripts import make_showcase
from tests.tools import synthetic

ROOT = Path(__file__).resolve().parents[2]
BEST = RunPaths(ROOT / SHOWCASE)
METRICS = json.loads(BEST.metrics_json.read_text())


@pytest.fixture
def study() -> optuna.Study:
    """Trials that finished, the third after it had paused, and new seeds of two; one that was pruned, one under way."""
    study = optuna.create_study()
    study.set_user_attr("git_commit", "c0ffee")
    kinds: tuple[tuple[float, str, dict[str, int]], ...] = (
        (6.9, "finished", {}),
        (METRICS["trial_val_bpd"], "finished", {}),
        (7.2, "pruned", {}),
        (6.3, "finished", {"continues": 2}),
        (6.85, "finished", {"confirms": 1}),
        (6.89, "finished", {"confirms": 2}),
        (6.5, "pruned", {}),
    )
    for value, end, kin in kinds:
        state = TrialState.COMPLETE if end == "finished" else TrialState.PRUNED
        trial = create_trial(
            params={"beta": 1.5, "latent_dim": 64},
            distributions={"beta": FloatDistribution(0.1, 3.0), "latent_dim": IntDistribution(2, 128)},
            value=value if end == "finished" else None,
            intermediate_values={1: 8.0, 2: value},
            user_attrs={"end": end if end == "finished" else "pruned at epoch 2", "val_mse": 0.01} | kin,
            state=state,
        )
        study.add_trial(trial)
    study.ask()
    return study


def test_trials_are_a_table_of_one_row_each(study: optuna.Study, tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    path.write_text(make_showcase.trials_table(study))
    table = pd.read_csv(path)
    assert table["trial"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    states = ["complete", "complete", "pruned", *["complete"] * 3, "pruned", "running"]
    assert table["state"].tolist() == states
    assert table["val_bpd"].tolist()[:4] == [6.9, METRICS["trial_val_bpd"], 7.2, 6.3]
    assert table["continues"].dropna().to_dict() == {3: 2}
    assert table["confirms"].dropna().to_dict() == {4: 1, 5: 2}
    assert table["beta"].tolist()[:4] == [1.5] * 4
    assert table["val_mse"].tolist()[:4] == [0.01] * 4


def test_the_page_shows_the_search_and_the_retraining(study: optuna.Study) -> None:
    page = make_showcase.page(study, RunMetrics.from_dict(METRICS | {"trial": 1}), BEST)
    assert "4 configurations in 7 trials, 3 of them trained to the end" in page
    assert (
        f"Chosen was trial 1: val_bpd {METRICS['trial_val_bpd']:.3f} after {METRICS['trial_epochs']:g} epochs, "
        "6.850 by the mean of 1 new seed; next came trial 3 with 6.890" in page
    )
    assert f"test_bpd {METRICS['test_bpd']:.3f}" in page
    verdict = ppca_verdict(METRICS["test_bpd"], METRICS["ppca_bpd"], overfitted=False).text
    assert f"scores {METRICS['ppca_bpd']:.3f} there: {verdict}." in page
    assert "c0ffee" in page and METRICS["git_commit"] in page


def test_the_page_says_what_was_expected_of_a_trial_that_had_not_finished() -> None:
    origin = {"trial": 0, "trial_val_bpd": 6.9, "trial_epochs": 1.0, "trial_expected_bpd": 6.4}
    study = optuna.create_study()
    study.set_user_attr("git_commit", "c0ffee")
    paused = create_trial(value=6.9, intermediate_values={1: 6.9}, state=TrialState.PRUNED)
    study.add_trial(paused)
    page = make_showcase.page(study, RunMetrics.from_dict(METRICS | origin), BEST)
    assert "1 configuration in 1 trial, 0 of them trained to the end" in page
    assert "Chosen was trial 0: val_bpd 6.900 after 1 epoch; none had finished, and it was expected to end best" in page


@pytest.mark.parametrize(("n_before", "end"), [(5, "finished"), (0, "pruned at epoch 0.5")])
def test_what_was_retrained_must_be_the_study_s_choice(
    n_before: int, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_hand = synthetic.create(tmp_path, "small")
    for score in (6.9, 6.8):
        synthetic.add_trial(at_hand, *[7.0] * n_before, score, end=end)
    monkeypatch.chdir(tmp_path)
    at_hand.paths.best.folder.mkdir()
    at_hand.paths.best.metrics_json.write_text(json.dumps(METRICS | {"trial": 0}))
    with pytest.raises(typer.Exit):
        make_showcase.main("small")
    assert "is of trial 0, the study's choice is trial 1; run make best-retrain" in capsys.readouterr().err
    assert not (tmp_path / "results" / "showcase").exists()


def test_without_a_retrained_model_one_line_says_what_to_do(tmp_path: Path) -> None:
    synthetic.create(tmp_path, "small")
    command = [sys.executable, "-m", "scripts.make_showcase", "small"]
    settings: dict[str, Any] = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "text": True}
    done = subprocess.run(command, capture_output=True, **settings)
    assert done.returncode == 2
    assert done.stderr == "error: results/small/best: is not there; run make showcase, with CIFAR-10 at hand\n"


def test_everything_that_the_page_links_to_is_copied(study: optuna.Study, tmp_path: Path) -> None:
    best = RunPaths(shutil.copytree(BEST.folder, tmp_path / "best"))
    best.metrics_json.write_text(json.dumps(METRICS | {"trial": 1}))
    make_showcase.publish(study, best, tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text()
    linked = set(re.findall(r"\]\(([^)]+)\)", page))
    assert linked <= {path.name for path in (tmp_path / "out").iterdir()}
    assert {"trials.csv", "reconstructions.png", "samples_progress.mp4"} <= linked
    assert (tmp_path / "out" / "metrics.json").read_bytes() == best.metrics_json.read_bytes()
