"""Lines that end a retraining: what its trial had, or was expected to have, and what the run has reached."""

import json
from pathlib import Path

import pytest

from hpo.cli.run_summary import retraining_summary

A_RUN = Path(__file__).resolve().parents[1] / "report" / "a_run" / "metrics.json"
SCORES = {"trial": 7, "trial_val_bpd": 6.75, "epochs": 20, "val_bpd": 6.4}


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        ({"trial_epochs": 20.0}, "Chosen at 20 epochs, retrained at 20: val_bpd 6.7500 -> 6.4000"),
        (
            {"trial_epochs": 1.0, "trial_expected_bpd": 6.45},
            "Trial 7, at val_bpd 6.7500 after 1 epoch, was expected to end at 6.4500; "
            "retrained for 20 epochs it ends at 6.4000",
        ),
    ],
)
def test_the_first_line_compares_the_run_with_its_trial(origin: dict[str, float], line: str) -> None:
    history = [{"epoch": 20.0, "val_bpd": 6.4}]
    assert retraining_summary(json.loads(A_RUN.read_text()) | SCORES | origin, history, ["a notice"])[0] == line
