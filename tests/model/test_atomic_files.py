"""Files that are written whole or not at all."""

import os
from pathlib import Path

import pytest

from model.atomic_files import replacing, write_text


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
