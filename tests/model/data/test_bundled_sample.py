"""Bundled sample: its splits, its tiles, and the refusal of a damaged one."""

import csv
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from model.data.bundled_sample import load_sample, read_sample
from model.data.images import ImageData, LabelledImages
from model.data.locations import SAMPLE_FOLDER as SAMPLE
from model.errors import DataError
from tests.model.data.splits import images_per_class, is_uint8_in_channels_last, pixels_of, splits


@pytest.fixture(scope="module")
def sample() -> ImageData:
    return load_sample()


def test_the_splits_have_450_50_and_100_images_of_each_class(sample: ImageData) -> None:
    assert images_per_class(sample) == [[450] * 10, [50] * 10, [100] * 10]


def test_no_image_is_in_two_splits(sample: ImageData) -> None:
    train, validation, test = (set(pixels_of(split)) for split in splits(sample))
    assert len(train | validation | test) == len(train) + len(validation) + len(test) == 6000


def test_training_and_validation_images_keep_their_labels(sample: ImageData) -> None:
    pixels, labels = read_sample(SAMPLE).splits["train"]
    labels_by_image = {image.tobytes(): int(label) for image, label in zip(pixels, labels, strict=True)}
    for split in (sample.train, sample.validation):
        assert [labels_by_image[image] for image in pixels_of(split)] == split.labels.tolist()


def test_reading_again_gives_the_same_images_whatever_the_global_generator(sample: ImageData) -> None:
    torch.manual_seed(12345)
    again = load_sample()
    assert again.digest == sample.digest
    for first, second in zip(splits(sample), splits(again), strict=True):
        assert torch.equal(first.images, second.images)
        assert torch.equal(first.labels, second.labels)


def test_images_are_uint8_in_channels_last(sample: ImageData) -> None:
    for split in splits(sample):
        assert split.images.shape[1:] == (3, 32, 32)
        assert is_uint8_in_channels_last(split.images)
        assert split.labels.dtype == torch.int64


def test_the_first_tile_of_a_sheet_is_the_first_image_of_its_class(sample: ImageData) -> None:
    with (SAMPLE / "index.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["split"] == "test" and row["class_name"] == "frog")
    with Image.open(SAMPLE / row["sheet"]) as sheet:
        n_columns = sheet.width // 32
        y, x = divmod(int(row["tile"]), n_columns)
        tile = sheet.convert("RGB").crop((32 * x, 32 * y, 32 * x + 32, 32 * y + 32))
    frogs = sample.test.labels == sample.class_names.index("frog")
    assert tile.tobytes() == pixels_of(LabelledImages(sample.test.images[frogs], sample.test.labels[frogs]))[0]


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A copy of the sample to damage, made of links: replace a file, never write into it."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "sample", copy_function=os.symlink))


def _remove_a_sheet(folder: Path) -> None:
    (folder / "train_cat.webp").unlink()


def _cut_a_sheet(folder: Path) -> None:
    contents = (folder / "train_cat.webp").read_bytes()
    (folder / "train_cat.webp").unlink()
    (folder / "train_cat.webp").write_bytes(contents[: len(contents) // 2])


def _swap_two_sheets(folder: Path) -> None:
    (folder / "test_cat.webp").rename(folder / "temporary")
    (folder / "test_dog.webp").rename(folder / "test_cat.webp")
    (folder / "temporary").rename(folder / "test_dog.webp")


def _change_a_pixel(folder: Path) -> None:
    with Image.open(folder / "test_cat.webp") as sheet:
        changed = sheet.convert("RGB")
    red, green, blue = changed.getpixel((5, 5))  # type: ignore[misc]
    changed.putpixel((5, 5), (red ^ 1, green, blue))
    (folder / "test_cat.webp").unlink()
    changed.save(folder / "test_cat.webp", lossless=True, method=0)


def _replace(name: str, contents: str) -> Callable[[Path], None]:
    def replace_file(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).write_text(contents)

    return replace_file


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_remove_a_sheet, id="sheet-missing"),
        pytest.param(_cut_a_sheet, id="sheet-cut-short"),
        pytest.param(_swap_two_sheets, id="sheets-swapped"),
        pytest.param(_change_a_pixel, id="one-pixel"),
        pytest.param(_replace("sample.json", "{"), id="metadata-cut-short"),
        pytest.param(_replace("sample.json", "{}"), id="metadata-empty"),
        pytest.param(_replace("index.csv", "split,sheet,tile,label\n"), id="index-empty"),
        pytest.param(_replace("index.csv", "<<<<<<< HEAD\n"), id="index-in-conflict"),
    ],
)
def test_a_damaged_sample_is_refused_with_its_folder_and_the_remedy(
    damaged: Path, damage: Callable[[Path], None]
) -> None:
    damage(damaged)
    with pytest.raises(DataError) as refusal:
        read_sample(damaged)
    assert str(refusal.value).startswith(f"{damaged}: ")
    assert str(refusal.value).endswith("restore the folder (git checkout -- data/sample)")


def test_a_missing_sample_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the bundled sample cannot be read"):
        read_sample(tmp_path / "nowhere")


def test_data_moved_to_a_device_keeps_labels_digest_and_names(sample: ImageData) -> None:
    moved = sample.to(torch.device("meta"))
    assert [split.images.device.type for split in splits(moved)] == ["meta"] * 3
    assert replace(moved, train=sample.train, validation=sample.validation, test=sample.test) == sample
