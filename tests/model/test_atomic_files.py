"""Files that are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from model.atomic_files import remove_unfinished, replacing, write_text


def test_a_reader_of_the_earlier_file_sees_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("earlier")
    with path.open() as reader:
        write_text(path, "later")
        assert reader.read() == "earlier"
    assert path.read_text() == "later"


def test_the_content_is_on_the_disk_before_the_file_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    replace = os.replace

    def recorded_replace(source: Path, target: Path) -> None:
        calls.append("rename")
        replace(source, target)

    monkeypatch.setattr("os.fsync", lambda _: calls.append("flush"))
    monkeypatch.setattr("os.replace", recorded_replace)
    write_text(tmp_path / "metrics.json", "text")
    assert calls[:2] == ["flush", "rename"]


def test_an_error_leaves_the_earlier_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("earlier")
    with pytest.raises(ValueError, match="halfway"), replacing(path) as temporary:
        temporary.write_text("half")
        raise ValueError("halfway")
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "metrics.json"),
        (OSError(errno.ENOENT, "No such file or directory", "images.npy"), "images.npy"),
        (OSError("cannot identify image file"), None),
    ],
    ids=["a failed write", "a file that the writer reads", "an error of a library"],
)
def test_an_error_of_the_disk_names_the_file(error: OSError, named: str | None, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=str(error.strerror or error)) as raised, replacing(tmp_path / "metrics.json"):
        raise error
    assert raised.value.errno == error.errno
    assert raised.value.filename and Path(raised.value.filename).name == named if named else raised.value is error


def test_temporary_files_of_killed_processes_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [tmp_path / name for name in (".run.1.gif", ".run.23.gif")]
    others = [tmp_path / name for name in ("run.gif", ".run.1.mp4", ".rerun.1.gif", "run.1.gif")]
    for path in (*left, *others):
        path.touch()
    remove_unfinished(tmp_path / "run.gif")
    assert sorted(tmp_path.iterdir()) == sorted(others)
    # Another process has removed them meanwhile.
    monkeypatch.setattr(Path, "glob", lambda *_: iter(left))
    remove_unfinished(tmp_path / "run.gif")
