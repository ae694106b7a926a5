"""A study as tables: every trial and every report, the same in both formats, with kinds that a notebook can use."""

import datetime
import io
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


@pytest.fixture
def at_hand(tmp_path: Path) -> OpenStudy:
    """A finished trial with its table, a pruned one without, one that failed at once, one under way."""
    made = synthetic.begin(tmp_path)
    synthetic.add(made, 7.5, 7.25, values={"beta": 0.5}, files={"metrics.csv": METRICS.encode()})
    synthetic.add(made, 7.75, end="pruned at epoch 0.5", values={"latent_dim": 32, "batch_size": 256})
    synthetic.add(made, end="failed: ValueError: so it is")
    synthetic.add(made, 7.0, end="running")
    return made


def test_trials_have_a_row_each_with_all_that_is_known(at_hand: OpenStudy) -> None:
    frame = trials_frame(trial_rows(at_hand.study, at_hand.config), at_hand.config)
    assert frame["number"].tolist() == [0, 1, 2, 3]
    assert frame["state"].tolist() == ["complete", "pruned", "fail", "running"]
    assert frame["kind"].tolist() == ["finished", "pruned", "failed", "running"]
    assert frame["end"].tolist() == ["finished", "pruned at epoch 0.5", "failed: ValueError: so it is", "running"]
    assert frame["beta"].tolist() == [0.5, 1.0, 1.0, 1.0]
    assert frame["latent_dim"].tolist() == [128, 32, 128, 128]
    assert frame["schedule"].tolist() == ["cosine"] * 4
    assert frame["val_bpd"].fillna(0).tolist() == [7.25, 7.75, 0, 7.0]
    assert frame["epoch"].tolist() == [1.0, 0.5, 0.0, 0.5]
    assert frame["elapsed_s"].fillna(0).tolist() == [40.0, 20.0, 0, 0]
    assert frame["datetime_start"][1] == datetime.datetime(2026, 1, 2, 3, 6, 5)
    assert frame["datetime_complete"].isna().tolist() == [False, False, False, True]
    assert list(frame) == [
        *("number", "state", "kind", "end", "continues", "confirms"),
        *("beta", "latent_dim", "learning_rate", "batch_size", "schedule", "warmup_epochs", "max_grad_norm"),
        *(
            "reconstruction",
            "adam_beta2",
            "val_bpd",
            "rate_nats",
            "distortion_nats",
            "mse",
            "sigma",
            "epoch",
            "elapsed_s",
            "own_elapsed_s",
        ),
        *("images_per_second", "datetime_start", "datetime_complete"),
    ]


def test_columns_have_kinds_that_keep_whole_numbers_whole_and_times_times(at_hand: OpenStudy) -> None:
    kinds = {
        name: str(kind)
        for name, kind in trials_frame(trial_rows(at_hand.study, at_hand.config), at_hand.config).dtypes.items()
    }
    assert kinds["number"] == "int64" and kinds["latent_dim"] == kinds["batch_size"] == "Int64"
    assert kinds["beta"] == kinds["val_bpd"] == "float64" and kinds["kind"] == kinds["schedule"] == "string"
    assert kinds["datetime_start"] == kinds["datetime_complete"] == "datetime64[us]"


def test_epochs_come_from_a_trials_table_else_from_its_reports(at_hand: OpenStudy) -> None:
    frame = epochs_frame(trial_rows(at_hand.study, at_hand.config), at_hand.study, at_hand.paths)
    assert frame["trial"].tolist() == [0, 0, 1, 3]
    assert frame["epoch"].tolist() == [0.5, 1.0, 0.5, 0.5]
    assert frame["val_bpd"].tolist() == [7.5, 7.25, 7.75, 7.0]
    assert frame["skipped_updates"].tolist() == [0, 2, pd.NA, pd.NA]
    assert frame["images_seen"].dtype == "Int64"
    kept = pd.read_csv(io.StringIO(METRICS))
    assert_frame_equal(frame.loc[:1, list(kept)], kept, check_dtype=False)
    assert frame.loc[2:, "val_mse"].isna().all()


def test_both_formats_hold_the_same(at_hand: OpenStudy, tmp_path: Path) -> None:
    target = ExportPaths(tmp_path / "elsewhere")
    assert write_tables(at_hand, target) == (4, 4)
    trials = trials_frame(trial_rows(at_hand.study, at_hand.config), at_hand.config)
    epochs = epochs_frame(trial_rows(at_hand.study, at_hand.config), at_hand.study, at_hand.paths)
    for frame, csv, parquet in (
        (trials, target.trials_csv, target.trials_parquet),
        (epochs, target.epochs_csv, target.epochs_parquet),
    ):
        assert_frame_equal(pd.read_parquet(parquet), frame)
        read = pd.read_csv(csv).astype(dict(frame.dtypes))
        assert_frame_equal(read, frame)
    assert sorted(path.name for path in target.folder.iterdir()) == [
        *("epochs.csv", "epochs.parquet", "trials.csv", "trials.parquet")
    ]


def test_a_lost_table_leaves_what_the_study_knows(at_hand: OpenStudy) -> None:
    for file in at_hand.paths.artifacts.iterdir():
        file.unlink()
    frame = epochs_frame(trial_rows(at_hand.study, at_hand.config), at_hand.study, at_hand.paths)
    assert frame["val_bpd"].tolist() == [7.5, 7.25, 7.75, 7.0]
    assert frame["images_seen"].isna().all()


def test_a_study_without_trials_makes_tables_without_rows(tmp_path: Path) -> None:
    at_hand = synthetic.begin(tmp_path)
    assert write_tables(at_hand, at_hand.paths.export) == (0, 0)
    assert len(pd.read_parquet(at_hand.paths.export.trials_parquet)) == 0
    assert "val_bpd" in pd.read_csv(at_hand.paths.export.epochs_csv)


def test_the_command_writes_below_the_study_and_says_what_to_do_next(
    at_hand: OpenStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    export("small")
    said = capsys.readouterr().out
    assert "4 trials and 4 reports of theirs, each as CSV and Parquet, in results/small/export" in said
    assert "Next: pandas.read_parquet('results/small/export/trials.parquet')" in said
    assert len(pd.read_csv("results/small/export/trials.csv")) == 4
    assert at_hand.paths.export.epochs_parquet.exists()
