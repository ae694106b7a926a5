"""What `make showcase` copies and writes, from a study of known trials and the files of a real run."""

import json
import re
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from hpo import showcase
from hpo.paths import SHOWCASE, RunPaths

ROOT = Path(__file__).resolve().parent.parent
BEST = RunPaths(ROOT / SHOWCASE)
METRICS = json.loads(BEST.metrics_json.read_text())


@pytest.fixture
def study() -> optuna.Study:
    """Three trials that finished, one that was pruned, one under way."""
    study = optuna.create_study()
    study.set_user_attr("git_commit", "c0ffee")
    for value, end in ((6.9, "finished"), (METRICS["trial_val_bpd"], "finished"), (6.8, "finished"), (7.2, "pruned")):
        state = TrialState.COMPLETE if end == "finished" else TrialState.PRUNED
        trial = create_trial(
            params={"beta": 1.5, "latent_dim": 64},
            distributions={"beta": FloatDistribution(0.1, 3.0), "latent_dim": IntDistribution(2, 128)},
            value=value if end == "finished" else None,
            intermediate_values={1: 8.0, 2: value},
            user_attrs={"end": end if end == "finished" else "pruned at epoch 2", "val_mse": 0.01},
            state=state,
        )
        study.add_trial(trial)
    study.ask()
    return study


def test_trials_are_a_table_of_one_row_each(study: optuna.Study, tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    path.write_text(showcase.trials_table(study))
    table = pd.read_csv(path)
    assert table["trial"].tolist() == [0, 1, 2, 3, 4]
    assert table["state"].tolist() == ["complete", "complete", "complete", "pruned", "running"]
    assert table["val_bpd"].tolist()[:4] == [6.9, METRICS["trial_val_bpd"], 6.8, 7.2]
    assert table["beta"].tolist()[:4] == [1.5] * 4
    assert table["val_mse"].tolist()[:4] == [0.01] * 4


def test_the_page_tells_the_search_and_the_retraining(study: optuna.Study) -> None:
    page = showcase.page(study, METRICS | {"trial": 1}, BEST)
    assert "4 trials ended, 1 of them pruned" in page
    assert (
        f"Best was trial 1: val_bpd {METRICS['trial_val_bpd']:.3f} after 3 epochs; next came trial 2 with 6.800" in page
    )
    assert f"test_bpd {METRICS['test_bpd']:.3f}" in page
    verdict = "beaten" if METRICS["test_bpd"] < METRICS["ppca_bpd"] else "not beaten"
    assert f"there: {verdict}, by {abs(METRICS['test_bpd'] - METRICS['ppca_bpd']):.3f}." in page
    assert "c0ffee" in page and METRICS["git_commit"] in page


def test_everything_that_the_page_links_to_is_copied(study: optuna.Study, tmp_path: Path) -> None:
    showcase.publish(study, BEST, tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text()
    linked = set(re.findall(r"\]\(([^)]+)\)", page))
    assert linked <= {path.name for path in (tmp_path / "out").iterdir()}
    assert {"trials.csv", "reconstructions.png", "samples_progress.mp4"} <= linked
    assert (tmp_path / "out" / "metrics.json").read_bytes() == BEST.metrics_json.read_bytes()
