"""Fixtures of the tests that read study files."""

from pathlib import Path

import pytest


@pytest.fixture
def empty_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds an empty study_configs/ and nothing else."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study_configs").mkdir()
    return tmp_path
