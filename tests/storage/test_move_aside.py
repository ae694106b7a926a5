"""Folders of earlier studies and runs that are moved aside."""

from pathlib import Path

from hpo.storage.paths import move_aside


def test_a_folder_is_moved_with_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    assert move_aside(folder) is None
    folder.mkdir()
    (folder / "study.db").write_text("content")
    moved = move_aside(folder)
    assert moved is not None and moved.name.startswith("small-") and not folder.exists()
    assert (moved / "study.db").read_text() == "content"


def test_folders_moved_aside_in_the_same_second_get_different_names(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    moved: set[Path | None] = set()
    for _ in range(3):
        folder.mkdir()
        moved.add(move_aside(folder))
    assert len(moved - {None}) == 3
