"""Surroundings of a command: how long OpenMP's threads wait for each other."""

import os

import pytest

from hpo.cli.surroundings import ignore_surroundings


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "10000"),
        ({"GOMP_SPINCOUNT": "5"}, "5"),
        ({"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_threads_wait_briefly_unless_the_user_says_how_long(
    variables: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
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
