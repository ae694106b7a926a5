"""Fixtures of the tests of workers."""

from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture
def plain_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a file in place of the learning curve, whose figure takes half a second."""

    def write(_: pd.DataFrame, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture" * 100)

    monkeypatch.setattr("hpo.workers.pictures.trial_pictures.draw_loss_curves", write)
