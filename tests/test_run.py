"""A finished run's folder: put in place whole, and never lost between two renames."""

from pathlib import Path

import pytest

from hpo.film import frame_epochs
from hpo.paths import RunPaths
from hpo.run import _swap, _undo_half_a_swap


def folder_with(path: Path, name: str) -> RunPaths:
    path.mkdir(parents=True)
    (path / name).write_text(name)
    return RunPaths(path)


def test_a_new_run_replaces_the_old_one_whole(tmp_path: Path) -> None:
    final = folder_with(tmp_path / "best", "old")
    _swap(folder_with(tmp_path / "aside", "new"), final)
    assert [path.name for path in final.folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_an_old_run_comes_back_where_a_process_ended_between_the_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = folder_with(tmp_path / "best", "old")
    with pytest.raises(FileNotFoundError):
        _swap(RunPaths(tmp_path / "never_made"), final)
    assert not final.folder.exists()
    _undo_half_a_swap(final)
    assert [path.name for path in final.folder.iterdir()] == ["old"]


def test_frames_come_at_the_interval_and_always_first_and_last() -> None:
    assert frame_epochs(10, 1) == frozenset(range(11))
    assert frame_epochs(10, 4) == {0, 4, 8, 10}
    assert frame_epochs(1, 5) == {0, 1}


def test_frames_spaced_logarithmically_are_dense_at_first_and_few_at_last() -> None:
    epochs = sorted(frame_epochs(1000, "log"))
    assert epochs[:5] == [0, 1, 2, 3, 4]
    assert epochs[-1] == 1000
    assert len(epochs) < 45
    assert epochs[-1] - epochs[-2] > 100
