"""Surroundings of a command: how long OpenMP's threads wait for each other."""

import os
from pathlib import Path

import pytest

from hpo.cli.surroundings import ignore_surroundings


@pytest.mark.parametrize(
    ("load", "n_cores", "variables", "expected"),
    [
        ("0.00 0.01 0.05 1/321 4711", 2, {}, "10000"),
        ("0.00 0.01 0.05 2/321 4711", 2, {}, "1000"),
        ("0.00 0.01 0.05 2/321 4711", 4, {}, "10000"),
        ("0.00 0.01 0.05 33/321 4711", 64, {}, "1000"),
        (None, 2, {}, "10000"),
        ("0.00 0.01 0.05 2/321 4711", 2, {"GOMP_SPINCOUNT": "5"}, "5"),
        ("0.00 0.01 0.05 2/321 4711", 2, {"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_threads_wait_briefly_and_more_so_beside_others_unless_the_user_says_how_long(
    load: str | None,
    n_cores: int,
    variables: dict[str, str],
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if load is not None:
        (tmp_path / "loadavg").write_text(load)
    monkeypatch.setattr("os.cpu_count", lambda: n_cores)
    monkeypatch.setattr("hpo.cli.surroundings._LOAD", tmp_path / "loadavg")
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    # Restored at the end of the test.
    for name in ("MPLBACKEND", "MATPLOTLIBRC"):
        monkeypatch.setenv(name, "")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ignore_surroundings()
    assert os.environ.get("GOMP_SPINCOUNT") == expected
    os.environ.pop("GOMP_SPINCOUNT", None)
