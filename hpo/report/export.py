"""Writes a study's trials and epochs as tables, for notebooks and spreadsheets."""

from pathlib import Path

import pandas as pd

from hpo.analysis.data_frames import epochs_frame, trials_frame
from hpo.analysis.trial_table import trial_rows
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import ExportPaths
from model.atomic_files import replacing


def write_tables(opened: OpenStudy, target: ExportPaths) -> tuple[int, int]:
    """Write trials and epochs, each as CSV and as Parquet; return the number of rows of each."""
    rows = trial_rows(opened.study, opened.config)
    trials = trials_frame(rows, opened.config)
    epochs = epochs_frame(rows, opened.study, opened.paths)
    _write(trials, target.trials_csv, target.trials_parquet)
    _write(epochs, target.epochs_csv, target.epochs_parquet)
    return len(trials), len(epochs)


def _write(frame: pd.DataFrame, csv: Path, parquet: Path) -> None:
    with replacing(csv) as temporary:
        frame.to_csv(temporary, index=False)
    with replacing(parquet) as temporary:
        frame.to_parquet(temporary, index=False)
