"""Writes a study as tables, for whoever goes on in a notebook or a spreadsheet."""

from pathlib import Path

import pandas as pd

from hpo.analysis.data_frames import epochs_frame, trials_frame
from hpo.analysis.trial_table import trial_rows
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import ExportPaths
from model.atomic_files import replacing


def write_tables(at_hand: OpenStudy, target: ExportPaths) -> tuple[int, int]:
    """Write trials and epochs, each as CSV and as Parquet; return how many rows each has."""
    rows = trial_rows(at_hand.study, at_hand.config)
    trials = trials_frame(rows, at_hand.config)
    epochs = epochs_frame(rows, at_hand.study, at_hand.paths)
    for frame, csv, parquet in (
        (trials, target.trials_csv, target.trials_parquet),
        (epochs, target.epochs_csv, target.epochs_parquet),
    ):
        _write(frame, csv, parquet)
    return len(trials), len(epochs)


def _write(frame: pd.DataFrame, csv: Path, parquet: Path) -> None:
    with replacing(csv) as temporary:
        frame.to_csv(temporary, index=False)
    with replacing(parquet) as temporary:
        frame.to_parquet(temporary, index=False)
