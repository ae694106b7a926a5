"""Image folders: their classes and splits, the formats that are read, and the refusal of faulty ones."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.data.image_folder import load_folder, read_folder
from model.errors import DataError
from tests.model.data.splits import images_per_class, is_uint8_in_channels_last, pixels_of, sizes, splits


def write_images(folder: Path, n_images: int, seed: int = 0) -> Path:
    """Fill `folder` with different images of noise, 32x32 PNG; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (n_images, 32, 32, 3), dtype=np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{index:03d}.png", compress_level=0)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """100 images, flat."""
    return write_images(tmp_path / "images", 100)


def test_subfolders_are_classes_and_are_split_80_10_10_each(tmp_path: Path) -> None:
    for seed, name in enumerate(("cats", "dogs")):
        write_images(tmp_path / name, 100, seed)
    data = load_folder(tmp_path)
    assert data.class_names == ("cats", "dogs")
    assert images_per_class(data) == [[80, 80], [10, 10], [10, 10]]


def test_a_flat_folder_is_one_class_split_80_10_10_in_uint8(folder: Path) -> None:
    data = load_folder(str(folder))
    assert data.class_names == ("images",)
    assert sizes(data) == [80, 10, 10]
    assert data.source == "folder"
    assert all(is_uint8_in_channels_last(split.images) for split in splits(data))
    assert data.train.images.shape[1:] == (3, 32, 32)


@pytest.mark.parametrize(("size", "n_channels"), [(28, 1), (32, 1), (64, 3)])
def test_images_are_read_at_any_size_in_colour_or_grey(tmp_path: Path, size: int, n_channels: int) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (size, size), dtype=np.uint8)
    for index in range(100):
        Image.fromarray(grey).convert(("L", "RGB")[index % 2]).save(tmp_path / f"{index:03d}.png")
    data = load_folder(tmp_path, size, n_channels)
    assert data.image_shape == (n_channels, size, size)
    assert np.array_equal(data.train.pixels, np.broadcast_to(grey[..., None], (80, size, size, n_channels)))


def test_deeper_folders_belong_to_the_class_of_the_first_level(tmp_path: Path) -> None:
    write_images(tmp_path / "cats" / "2024" / "june", 50)
    write_images(tmp_path / "cats", 50, seed=1)
    assert load_folder(tmp_path).class_names == ("cats",)


def test_the_splits_share_no_image_and_leave_none_out(folder: Path) -> None:
    train, validation, test = (set(pixels_of(split)) for split in splits(load_folder(folder)))
    written = {np.asarray(Image.open(path)).tobytes() for path in folder.iterdir()}
    assert train | validation | test == written
    assert len(train) + len(validation) + len(test) == 100


def test_32x32_images_are_read_to_the_bit(folder: Path) -> None:
    images = read_folder(folder)
    assert np.array_equal(images.pixels, [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])
    assert images.labels.tolist() == [0] * 100


def test_the_digest_changes_with_one_pixel_and_not_with_the_folders_name(folder: Path) -> None:
    before = load_folder(folder).digest
    moved = folder.rename(folder.with_name("elsewhere"))
    assert load_folder(moved).digest == before
    with Image.open(moved / "042.png") as image:
        changed = image.copy()
    red, green, blue = changed.getpixel((31, 31))  # type: ignore[misc]
    changed.putpixel((31, 31), (red, green, blue ^ 1))
    changed.save(moved / "042.png")
    assert load_folder(moved).digest != before


def test_hidden_files_hidden_folders_and_other_files_are_ignored(folder: Path) -> None:
    before = load_folder(folder).digest
    (folder / ".hidden.png").write_bytes(b"not an image")
    write_images(folder / ".thumbnails", 5, seed=7)
    (folder / "notes.txt").write_text("not an image")
    (folder / "labels.csv").write_text("a,b\n")
    (folder / "empty").mkdir()
    (folder / "folder.png").mkdir()
    assert load_folder(folder).digest == before


def test_a_folder_inside_a_hidden_one_is_read(tmp_path: Path) -> None:
    assert sizes(load_folder(write_images(tmp_path / ".cache" / "images", 100))) == [80, 10, 10]


def read_saved(folder: Path, picture: Image.Image, name: str = "000.png", **options: Any) -> Any:
    """Save `picture` in the place of the first image of `folder`; return its pixels (32, 32, 3) as they are read."""
    (folder / "000.png").unlink()
    picture.save(folder / name, **options)
    return read_folder(folder).pixels[0]


def palette_picture(colour: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("P", (32, 32), 0)
    picture.putpalette([*colour, *[0] * 765])
    return picture


@pytest.mark.parametrize(
    ("picture", "colour"),
    [
        pytest.param(Image.new("RGBA", (32, 32), (10, 20, 30, 255)), (10, 20, 30), id="RGBA"),
        pytest.param(Image.new("L", (32, 32), 77), (77, 77, 77), id="grey"),
        pytest.param(Image.new("LA", (32, 32), (77, 255)), (77, 77, 77), id="grey-with-alpha"),
        pytest.param(palette_picture((200, 100, 50)), (200, 100, 50), id="palette"),
        pytest.param(Image.new("1", (32, 32), 1), (255, 255, 255), id="black-and-white"),
        pytest.param(
            Image.new("I;16", (32, 32), 128 * 257),
            (128, 128, 128),
            id="16-bit-grey",
        ),
        pytest.param(Image.new("RGB", (1, 1), (1, 2, 3)), (1, 2, 3), id="one-pixel"),
        pytest.param(Image.new("RGB", (500, 7), (1, 2, 3)), (1, 2, 3), id="strip"),
    ],
)
def test_a_picture_of_any_mode_and_size_becomes_32x32_rgb(
    folder: Path, picture: Image.Image, colour: tuple[int, int, int]
) -> None:
    pixels = read_saved(folder, picture)
    assert pixels.shape == (32, 32, 3)
    assert pixels.reshape(-1, 3).tolist() == [list(colour)] * 1024


def test_a_picture_that_is_not_square_is_cropped_at_its_centre(folder: Path) -> None:
    picture = Image.new("RGB", (96, 32), (255, 0, 0))
    picture.paste((0, 255, 0), (32, 0, 64, 32))
    picture.paste((0, 0, 255), (64, 0, 96, 32))
    assert read_saved(folder, picture).reshape(-1, 3).tolist() == [[0, 255, 0]] * 1024


def test_a_picture_is_turned_upright_by_its_exif_tag(folder: Path) -> None:
    stored = Image.new("RGB", (32, 32), (255, 0, 0))
    stored.paste((0, 0, 255), (0, 16, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: displayed turned clockwise by 90 degrees, so that the top comes to the right.
    pixels = read_saved(folder, stored, exif=exif)
    assert pixels[:, 0].tolist() == [[0, 0, 255]] * 32
    assert pixels[:, -1].tolist() == [[255, 0, 0]] * 32


@pytest.mark.parametrize(
    "name", ["000.bmp", "000.gif", "000.JPG", "000.jfif", "000.jpeg", "000.PNG", "000.ppm", "000.tif", "000.webp"]
)
def test_every_documented_format_is_read(folder: Path, name: str) -> None:
    assert np.abs(read_saved(folder, Image.new("RGB", (40, 40), (90, 90, 90)), name).astype(int) - 90).max() <= 2


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        pytest.param("broken.png", b"this is text", id="text"),
        pytest.param("broken.png", b"", id="empty"),
        pytest.param("broken.png", png()[: len(png()) // 2], id="cut-short"),
        pytest.param("broken.png", png()[:8] + b"\x00\x00\x00\x05" + png()[12:], id="broken-header"),
        pytest.param("broken.png", png()[:60] + b"\xff" * 40 + png()[100:], id="broken-data"),
        pytest.param("broken.ppm", b"P6\n2W5 40\n255\n", id="letters-for-a-size"),
        pytest.param("broken.jpg", b"\xff\xd8\xff\xe0", id="only-a-magic-number"),
    ],
)
def test_a_corrupt_image_is_named(folder: Path, name: str, contents: bytes) -> None:
    (folder / name).write_bytes(contents)
    with pytest.raises(DataError) as refusal:
        load_folder(folder)
    assert str(folder / name) in str(refusal.value)
    assert str(refusal.value).endswith("; fix or remove them")


def test_the_first_five_corrupt_images_are_named_and_the_others_counted(folder: Path) -> None:
    for index in range(7):
        (folder / f"broken{index}.png").write_bytes(b"x")
    with pytest.raises(DataError) as refusal:
        load_folder(folder)
    assert [f"broken{index}.png" in str(refusal.value) for index in range(7)] == [True] * 5 + [False] * 2
    assert " and 2 more" in str(refusal.value)


@pytest.mark.parametrize("n_images", [0, 1, 99])
def test_a_folder_with_too_few_images_is_refused_with_the_number_it_needs(tmp_path: Path, n_images: int) -> None:
    write_images(tmp_path / "images", n_images)
    with pytest.raises(DataError) as refusal:
        load_folder(tmp_path / "images")
    assert str(refusal.value).startswith(f"{tmp_path / 'images'} holds {n_images} images (")
    assert str(refusal.value).endswith("at least 100 are needed")


def test_a_missing_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        with pytest.raises(DataError, match=f"^/.*{name} is not a folder"):
            load_folder(tmp_path / name)
