"""Files of a folder of images: links, order, and the account of what is left out."""

import os
import unicodedata
from pathlib import Path

import pytest

from hpo.storage.run_record import RecordedImages, RunRecord, write_record
from model.config import TrainConfig
from model.data.folder_listing import FolderListing, list_images
from model.data.image_file import readable_suffixes
from tests.tools.synthetic import create


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(listing: FolderListing) -> list[str]:
    return [str(path.relative_to(listing.root)) for path in listing.images]


def reasons(listing: FolderListing) -> dict[str, list[str]]:
    return {why: [str(path.relative_to(listing.root)) for path in paths] for why, paths in listing.left_out.items()}


def test_class_folders_that_are_links_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "1.png", tmp_path / "root" / "dog" / "2.png")
    (tmp_path / "root" / "cat").symlink_to(tmp_path / "elsewhere")
    listing = list_images(tmp_path / "root")
    assert names(listing) == ["cat/1.png", "dog/2.png"]
    assert [listing.class_of(path) for path in listing.images] == ["cat", "dog"]


def test_loops_end_and_are_reported(tmp_path: Path) -> None:
    root = tmp_path / "root"
    touch(root / "dog" / "1.png", tmp_path / "beside.png")
    touch(tmp_path / "far" / "cat" / "2.png", tmp_path / "far" / "3.png")
    (root / "dog" / "self").symlink_to(root / "dog")
    (root / "up").symlink_to(tmp_path)
    (root / "cat").symlink_to(tmp_path / "far" / "cat")
    (tmp_path / "far" / "cat" / "up").symlink_to(tmp_path / "far")
    listing = list_images(root)
    assert names(listing) == ["cat/2.png", "dog/1.png"]
    assert reasons(listing) == {"folders that hold themselves": ["cat/up", "dog/self", "up"]}


def test_a_link_to_a_folder_of_the_same_tree_adds_no_image(tmp_path: Path) -> None:
    touch(tmp_path / "dog" / "1.png")
    (tmp_path / "a").symlink_to(tmp_path / "dog")
    listing = list_images(tmp_path)
    assert names(listing) == ["dog/1.png"]
    assert reasons(listing) == {"folders that are read already": ["a"]}


def test_what_is_left_out_is_counted_by_reason_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.data.folder_listing.readable_suffixes", lambda: frozenset({".jpg"}))
    monkeypatch.setattr("model.data.image_file.readable_suffixes", lambda: frozenset({".jpg"}))
    touch(*(tmp_path / f"{index}.heic" for index in (1, 3, 4)), tmp_path / "2.HEIC")
    touch(*(tmp_path / name for name in ("0.jpg", "notes.txt", ".5.jpg", "README")))
    (tmp_path / "6.jpg").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "7.jpg")
    assert list_images(tmp_path).describe_left_out() == (
        "left out: 4 .heic (1.heic, 2.HEIC, 3.heic and 1 more; install pillow-heif to read them), "
        "1 .txt (notes.txt), "
        "1 broken links (6.jpg), 1 hidden (.5.jpg), 1 neither files nor folders (7.jpg), 1 without a suffix (README)"
    )


def test_many_types_are_summed_up(tmp_path: Path) -> None:
    touch(*(tmp_path / f"file.x{index:02d}" for index in range(20)))
    text = list_images(tmp_path).describe_left_out()
    assert text.startswith("left out: 1 .x00 (file.x00), ")
    assert text.endswith("1 .x07 (file.x07), 12 of other types")


def test_jfif_and_avif_are_images(tmp_path: Path) -> None:
    touch(tmp_path / "a.jfif", tmp_path / "b.AVIF")
    assert {".jfif", ".avif"} <= readable_suffixes()
    assert names(list_images(tmp_path)) == ["a.jfif", "b.AVIF"]


def test_the_order_depends_neither_on_unicode_form_nor_on_the_order_of_creation(tmp_path: Path) -> None:
    written = ["z\u00e9/1.png", "zz/2.png", "\u00e9.png", "ea.png", "z.png", "z-/3.png"]
    for form in ("NFC", "NFD"):
        for name in reversed(written) if form == "NFD" else written:
            touch(tmp_path / form / unicodedata.normalize(form, name))
    composed, decomposed = (list_images(tmp_path / form) for form in ("NFC", "NFD"))
    assert names(composed) == [unicodedata.normalize("NFC", name) for name in names(decomposed)]
    assert names(composed) == sorted(names(composed), key=lambda name: Path(name).parts)
    classes = [{listing.class_of(path) for path in listing.images} for listing in (composed, decomposed)]
    assert classes == [{"images", "z-", "zz", "z\u00e9"}] * 2


def test_results_of_runs_and_studies_below_the_folder_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path / "dog" / "1.png", tmp_path / "dog" / "config.yaml")
    images = RecordedImages(source="folder", root=tmp_path, digest="0")
    record = RunRecord(
        study=None, trial=None, data=images, precision="float32", compiled=False, reconstruction_interval=1, fps=2.0,
        training=TrainConfig(),
    )  # fmt: skip
    touch(tmp_path / "out" / "frames" / "000.png")
    write_record(tmp_path / "out" / "config.yaml", record)
    study = create(tmp_path, "quick")
    touch(study.paths.folder / "pictures" / "0.png")
    listing = list_images(tmp_path)
    assert names(listing) == ["dog/1.png"]
    assert sorted(reasons(listing)["with results of this program"]) == ["out", "results/quick"]
