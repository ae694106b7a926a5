"""A study as tables: every trial and every report, the same in both formats, with column types for notebooks."""

import datetime
import io
import shutil
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from hpo.analysis.data_frames import epochs_frame, trials_frame
from hpo.analysis.trial_table import trial_rows
from hpo.cli.commands.export import export
from hpo.report.export import write_tables
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import ExportPaths
from tests.tools import synthetic

METRICS = """epoch,images_seen,train_bpd,val_bpd,val_mse,skipped_updates,elapsed_s,learning_rate
0.5,22500,7.6,7.5,0.02,0,10.0,0.001
1.0,45000,7.2,7.25,0.018,2,20.0,0.001
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenStudy:
    """A finished trial with its table, a pruned one without, one that failed at once, one under way."""
    opened = synthetic.create(tmp_path_factory.mktemp("export"))
    synthetic.add_trial(opened, 7.5, 7.25, values={"beta": 0.5}, files={"metrics.csv": METRICS.encode()})
    synthetic.add_trial(opened, 7.75, end="pruned at epoch 0.5", values={"latent_dim": 32, "batch_size": 256})
    synthetic.add_trial(opened, end="failed: ValueError: so it is")
    synthetic.add_trial(opened, 7.0, end="running")
    return opened


@pytest.fixture(scope="module")
def trials(opened: OpenStudy) -> pd.DataFrame:
    return trials_frame(trial_rows(opened.study, opened.config), opened.config)


@pytest.fixture(scope="module")
def epochs(opened: OpenStudy) -> pd.DataFrame:
    return epochs_frame(trial_rows(opened.study, opened.config), opened.study, opened.paths)


def test_every_trial_has_one_row_with_all_its_values(trials: pd.DataFrame) -> None:
    assert trials["number"].tolist() == [0, 1, 2, 3]
    assert trials["state"].tolist() == ["complete", "pruned", "fail", "running"]
    assert trials["kind"].tolist() == ["finished", "pruned", "failed", "running"]
    assert trials["end"].tolist() == ["finished", "pruned at epoch 0.5", "failed: ValueError: so it is", "running"]
    assert trials["beta"].tolist() == [0.5, 1.0, 1.0, 1.0]
    assert trials["latent_dim"].tolist() == [128, 32, 128, 128]
    assert trials["schedule"].tolist() == ["cosine"] * 4
    assert trials["val_bpd"].fillna(0).tolist() == [7.25, 7.75, 0, 7.0]
    assert trials["epoch"].tolist() == [1.0, 0.5, 0.0, 0.5]
    assert trials["elapsed_s"].fillna(0).tolist() == [40.0, 20.0, 0, 0]
    assert trials["datetime_start"][1] == datetime.datetime(2026, 1, 2, 3, 6, 5)
    assert trials["datetime_complete"].isna().tolist() == [False, False, False, True]
    assert list(trials) == [
        *("number", "state", "kind", "end", "continues", "confirms"),
        *("beta", "latent_dim", "learning_rate", "batch_size", "schedule", "warmup_epochs", "max_grad_norm"),
        *(
            "reconstruction",
            "adam_beta2",
            "horizontal_flip",
            "max_shift",
            "val_bpd",
            "rate_nats",
            "distortion_nats",
            "mse",
            "sigma",
            "epoch",
        ),
        *("elapsed_s", "own_elapsed_s", "images_per_second", "datetime_start", "datetime_complete"),
    ]


def test_column_types_keep_integers_and_times(trials: pd.DataFrame) -> None:
    types = {name: str(dtype) for name, dtype in trials.dtypes.items()}
    assert types["number"] == "int64" and types["latent_dim"] == types["batch_size"] == "Int64"
    assert types["beta"] == types["val_bpd"] == "float64" and types["kind"] == types["schedule"] == "string"
    assert types["datetime_start"] == types["datetime_complete"] == "datetime64[us]"


def test_epochs_come_from_a_trials_table_or_else_from_its_reports(epochs: pd.DataFrame) -> None:
    assert epochs["trial"].tolist() == [0, 0, 1, 3]
    assert epochs["epoch"].tolist() == [0.5, 1.0, 0.5, 0.5]
    assert epochs["val_bpd"].tolist() == [7.5, 7.25, 7.75, 7.0]
    assert epochs["skipped_updates"].tolist() == [0, 2, pd.NA, pd.NA]
    assert epochs["images_seen"].dtype == "Int64"
    table = pd.read_csv(io.StringIO(METRICS))
    assert_frame_equal(epochs.loc[:1, list(table)], table, check_dtype=False)
    assert epochs.loc[2:, "val_mse"].isna().all()


def test_both_formats_have_the_same_content(
    opened: OpenStudy, trials: pd.DataFrame, epochs: pd.DataFrame, tmp_path: Path
) -> None:
    target = ExportPaths(tmp_path / "elsewhere")
    assert write_tables(opened, target) == (4, 4)
    for frame, csv, parquet in (
        (trials, target.trials_csv, target.trials_parquet),
        (epochs, target.epochs_csv, target.epochs_parquet),
    ):
        assert_frame_equal(pd.read_parquet(parquet), frame)
        assert_frame_equal(pd.read_csv(csv).astype(dict(frame.dtypes)), frame)
    assert sorted(path.name for path in target.folder.iterdir()) == [
        *("epochs.csv", "epochs.parquet", "trials.csv", "trials.parquet")
    ]


def test_a_lost_table_leaves_the_reports_of_the_trial(opened: OpenStudy, tmp_path: Path) -> None:
    artifacts = opened.paths.artifacts
    away = artifacts.rename(tmp_path / "artifacts")
    try:
        frame = epochs_frame(trial_rows(opened.study, opened.config), opened.study, opened.paths)
    finally:
        shutil.move(away, artifacts)
    assert frame["val_bpd"].tolist() == [7.5, 7.25, 7.75, 7.0]
    assert frame["images_seen"].isna().all()


def test_a_study_without_trials_has_tables_without_rows(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)
    assert write_tables(opened, opened.paths.export) == (0, 0)
    assert len(pd.read_parquet(opened.paths.export.trials_parquet)) == 0
    assert "val_bpd" in pd.read_csv(opened.paths.export.epochs_csv)


def test_command_writes_into_the_studys_folder_and_names_the_next_step(
    opened: OpenStudy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(opened.paths.folder.parents[1])
    export("small")
    output = capsys.readouterr().out
    assert "4 trials and 4 of their reports, each as CSV and Parquet, in results/small/export" in output
    assert "Next: pandas.read_parquet('results/small/export/trials.parquet')" in output
    assert len(pd.read_csv("results/small/export/trials.csv")) == 4
    assert opened.paths.export.epochs_parquet.exists()
