"""The benchmark of what a further search brings."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.search import gain
from benchmarks.search.gain import Doubling, doublings
from benchmarks.search.surrogate import Surrogate
from tests.tools.synthetic_curves import SPACE, table, timings


def test_a_search_is_compared_with_what_was_expected_each_time_it_has_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gain, "N_CONFIGURATIONS", (7, 14))
    monkeypatch.setattr(gain, "CIFAR10", SimpleNamespace(read=lambda: table(30), space=SPACE))
    (found,) = doublings(Surrogate.fit(table(30), timings()), seed=1)
    assert found.n == 7 and 0 <= found.expected < 1 and -0.2 < found.reached < 1
    monkeypatch.setattr(gain, "GAINS", tmp_path / "gains.json")
    monkeypatch.setattr(gain, "ProcessPoolExecutor", _Here)
    monkeypatch.setattr(gain, "doublings", lambda _, seed: [Doubling(7, 0.01, 0.002 * seed)])
    gain.main(repetitions=3, processes=1)
    assert [each["reached"] for each in json.loads((tmp_path / "gains.json").read_text())] == [0.0, 0.002, 0.004]
    assert "7 to 14 configurations: 0.0100 expected, 0.0020 reached" in capsys.readouterr().out


class _Here:
    """Pool that works in this process."""

    def __init__(self, _: int) -> None: ...

    def __enter__(self) -> "_Here":
        return self

    def __exit__(self, *_: object) -> None: ...

    map = staticmethod(map)
