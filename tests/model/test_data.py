"""Images: the bundled sample, CIFAR-10 and folders, as they are read, cut and refused."""

import csv
import errno
import io
import os
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hpo.config import dataset
from hpo.config.schema import StudyConfig
from model.data.bundled_sample import load_sample, read_sample
from model.data.cifar10 import load_cifar10
from model.data.image_folder import load_folder, read_folder
from model.data.images import ImageData, LabelledImages
from model.data.splits import DATA_FOLDER
from model.errors import DataError

SAMPLE = DATA_FOLDER / "sample"
CIFAR10_ROOT = os.environ.get("CIFAR10_ROOT")
needs_cifar10 = pytest.mark.skipif(
    not CIFAR10_ROOT, reason="CIFAR10_ROOT names no folder that holds cifar-10-batches-py (.ci/run sets it)"
)


@pytest.fixture(scope="module")
def sample() -> ImageData:
    return load_sample()


def splits(data: ImageData) -> tuple[LabelledImages, LabelledImages, LabelledImages]:
    return data.train, data.validation, data.test


def sizes(data: ImageData) -> list[int]:
    return [len(split) for split in splits(data)]


def pixels_of(split: LabelledImages) -> list[bytes]:
    """Each image as bytes, row by row."""
    return [image.tobytes() for image in split.images.permute(0, 2, 3, 1).contiguous().numpy()]


def per_class(data: ImageData) -> list[list[int]]:
    """For each split how many images each class has."""
    return [torch.bincount(split.labels, minlength=len(data.class_names)).tolist() for split in splits(data)]


def study(**data: Any) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "name": "mine",
            "budget": {"trials": 1},
            "hyperparameters": {"beta": {"low": 0.5, "high": 2.0}, "batch_size": 16},
            "data": data,
        }
    )


# The bundled sample


def test_the_sample_has_4500_500_and_1000_images(sample: ImageData) -> None:
    assert sizes(sample) == [4500, 500, 1000]


def test_every_class_has_the_same_share_of_each_split_of_the_sample(sample: ImageData) -> None:
    assert per_class(sample) == [[450] * 10, [50] * 10, [100] * 10]


def test_no_image_of_the_sample_is_in_two_splits(sample: ImageData) -> None:
    train, validation, test = (set(pixels_of(split)) for split in splits(sample))
    assert len(train | validation | test) == len(train) + len(validation) + len(test) == 6000


def test_training_and_validation_images_keep_their_labels(sample: ImageData) -> None:
    pixels, labels = read_sample(SAMPLE).splits["train"]
    drawn = {image.tobytes(): int(label) for image, label in zip(pixels, labels, strict=True)}
    for split in (sample.train, sample.validation):
        assert [drawn[image] for image in pixels_of(split)] == split.labels.tolist()


def test_reading_the_sample_twice_gives_the_same_images_in_the_same_order(sample: ImageData) -> None:
    again = load_sample()
    assert again.digest == sample.digest
    for first, second in zip(splits(sample), splits(again), strict=True):
        assert torch.equal(first.images, second.images)
        assert torch.equal(first.labels, second.labels)


def test_the_split_does_not_depend_on_the_state_of_the_global_generator(sample: ImageData) -> None:
    torch.manual_seed(12345)
    assert load_sample().digest == sample.digest


def test_images_are_uint8_in_channels_last(sample: ImageData) -> None:
    for split in splits(sample):
        assert split.images.dtype == torch.uint8
        assert split.images.shape[1:] == (3, 32, 32)
        assert split.images.is_contiguous(memory_format=torch.channels_last)
        assert split.labels.dtype == torch.int64


def test_the_first_tile_of_a_sheet_is_the_first_image_of_its_class(sample: ImageData) -> None:
    with (SAMPLE / "index.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["split"] == "test" and row["class_name"] == "frog")
    with Image.open(SAMPLE / row["sheet"]) as sheet:
        across = sheet.width // 32
        down, right = divmod(int(row["tile"]), across)
        tile = sheet.convert("RGB").crop((32 * right, 32 * down, 32 * right + 32, 32 * down + 32))
    frogs = sample.test.labels == sample.class_names.index("frog")
    assert tile.tobytes() == pixels_of(LabelledImages(sample.test.images[frogs], sample.test.labels[frogs]))[0]


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A sample of one's own to damage: replace a file, never write through it, since it is a link."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "sample", copy_function=os.symlink))


def _remove_a_sheet(folder: Path) -> None:
    (folder / "train_cat.webp").unlink()


def _cut_a_sheet(folder: Path) -> None:
    contents = (folder / "train_cat.webp").read_bytes()
    (folder / "train_cat.webp").unlink()
    (folder / "train_cat.webp").write_bytes(contents[: len(contents) // 2])


def _swap_two_sheets(folder: Path) -> None:
    (folder / "test_cat.webp").rename(folder / "aside")
    (folder / "test_dog.webp").rename(folder / "test_cat.webp")
    (folder / "aside").rename(folder / "test_dog.webp")


def _change_a_pixel(folder: Path) -> None:
    with Image.open(folder / "test_cat.webp") as sheet:
        changed = sheet.convert("RGB")
    red, green, blue = changed.getpixel((5, 5))  # type: ignore[misc]
    changed.putpixel((5, 5), (red ^ 1, green, blue))
    (folder / "test_cat.webp").unlink()
    changed.save(folder / "test_cat.webp", lossless=True)


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
        pytest.param(_replace("sample.json", "{"), id="facts-torn"),
        pytest.param(_replace("sample.json", "{}"), id="facts-empty"),
        pytest.param(_replace("index.csv", "split,sheet,tile,label\n"), id="index-empty"),
        pytest.param(_replace("index.csv", "<<<<<<< HEAD\n"), id="index-in-conflict"),
    ],
)
def test_a_damaged_sample_is_refused_by_its_folder_and_the_remedy(
    damaged: Path, damage: Callable[[Path], None]
) -> None:
    damage(damaged)
    with pytest.raises(DataError) as refusal:
        read_sample(damaged)
    assert str(refusal.value).startswith(f"{damaged}: ")
    assert str(refusal.value).endswith("restore the folder (git checkout -- data/sample)")


def test_an_absent_sample_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the bundled sample cannot be read"):
        read_sample(tmp_path / "nowhere")


# CIFAR-10


@pytest.fixture(scope="module")
def cifar10() -> ImageData:
    assert CIFAR10_ROOT
    return load_cifar10(Path(CIFAR10_ROOT))


@needs_cifar10
def test_cifar10_has_45000_5000_and_10000_images_with_equal_classes(cifar10: ImageData) -> None:
    assert sizes(cifar10) == [45_000, 5_000, 10_000]
    assert per_class(cifar10) == [[4500] * 10, [500] * 10, [1000] * 10]


@needs_cifar10
def test_cifar10_is_uint8_in_channels_last(cifar10: ImageData) -> None:
    for split in splits(cifar10):
        assert split.images.dtype == torch.uint8
        assert split.images.is_contiguous(memory_format=torch.channels_last)


@needs_cifar10
def test_the_samples_tiles_are_cifar10s_own_pixels_at_the_index_they_name(cifar10: ImageData) -> None:
    from model.data.torchvision_import import import_datasets

    pixels = {name: read_sample(SAMPLE).splits[name][0] for name in ("train", "test")}
    with (SAMPLE / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("train", "test"):
        official = import_datasets().CIFAR10(CIFAR10_ROOT, train=name == "train")
        members = [row for row in rows if row["split"] == name]
        chosen = [int(row["cifar10_index"]) for row in members]
        assert len(set(chosen)) == len(chosen)
        assert np.array_equal(pixels[name], official.data[chosen])
        assert [int(row["label"]) for row in members] == [official.targets[index] for index in chosen]
    assert cifar10.class_names == read_sample(SAMPLE).class_names


def test_a_named_cifar10_folder_that_is_absent_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: holds no folder cifar-10-batches-py"):
        load_cifar10(tmp_path / "nowhere")


def test_a_named_folder_without_the_batches_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").touch()
    with pytest.raises(DataError, match="holds no folder cifar-10-batches-py; name the folder that does"):
        load_cifar10(tmp_path)


BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch", "batches.meta")


@pytest.mark.parametrize("names", [BATCHES, BATCHES[:2], ()], ids=["corrupt", "corrupt-and-missing", "missing"])
def test_a_named_folder_with_a_corrupt_or_missing_batch_is_an_error(tmp_path: Path, names: tuple[str, ...]) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    for name in names:
        (tmp_path / "cifar-10-batches-py" / name).write_bytes(b"not what was published")
    with pytest.raises(DataError) as refusal:
        load_cifar10(tmp_path)
    assert str(refusal.value).startswith(f"{tmp_path}/cifar-10-batches-py: a file is missing or does not have its ")
    assert "fetch the data set anew" in str(refusal.value)


@needs_cifar10
@pytest.mark.parametrize("corrupt", BATCHES)
def test_one_flipped_bit_in_any_batch_is_an_error(tmp_path: Path, corrupt: str) -> None:
    assert CIFAR10_ROOT
    batches = tmp_path / "cifar-10-batches-py"
    shutil.copytree(Path(CIFAR10_ROOT).resolve() / batches.name, batches, copy_function=os.symlink)
    contents = bytearray((batches / corrupt).read_bytes())
    contents[len(contents) // 2] ^= 1
    (batches / corrupt).unlink()
    (batches / corrupt).write_bytes(contents)
    with pytest.raises(DataError, match="does not have its published md5 sum"):
        load_cifar10(tmp_path)


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch, sample: ImageData) -> list[Path | None]:
    """The roots that CIFAR-10 is read from; nothing is."""
    roots: list[Path | None] = []

    def record(root: Path | None) -> ImageData:
        roots.append(root)
        return sample

    monkeypatch.setattr(dataset, "load_cifar10", record)
    monkeypatch.delenv("CIFAR10_ROOT", raising=False)
    return roots


def test_the_variable_wins_over_the_file(asked_for: list[Path | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIFAR10_ROOT", "/from/the/variable")
    dataset.load_data(study(source="cifar10", root=Path("/from/the/file")))
    assert asked_for == [Path("/from/the/variable")]


@pytest.mark.parametrize("value", ["", None])
def test_an_empty_variable_counts_as_unset(
    asked_for: list[Path | None], monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("CIFAR10_ROOT", value)
    dataset.load_data(study(source="cifar10", root=Path("/from/the/file")))
    dataset.load_data(study(source="cifar10"))
    assert asked_for == [Path("/from/the/file"), None]


def test_a_tilde_in_a_named_folder_is_the_home_folder(
    asked_for: list[Path | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    dataset.load_data(study(source="cifar10", root=Path("~/data")))
    assert asked_for == [Path("/home/me/data")]


def test_the_variable_does_not_turn_another_source_into_cifar10(
    asked_for: list[Path | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR10_ROOT", "/from/the/variable")
    assert dataset.load_data(study(source="sample"))[1].source == "sample"
    assert asked_for == []


# Downloads


class Answer(io.BytesIO):
    """A server's answer: what `urlopen` returns."""

    url = "https://example.invalid/"

    def __init__(self, contents: bytes) -> None:
        super().__init__(contents)
        self.length = len(contents)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


Network = Callable[[BaseException | bytes], None]


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: ImageData) -> Network:
    """Sets what every request meets; nothing is named, nothing was downloaded, and the sample is at hand."""
    monkeypatch.setattr("model.data.cifar10.DATA_FOLDER", tmp_path / "data")
    monkeypatch.setattr(dataset, "load_sample", lambda: sample)
    monkeypatch.delenv("CIFAR10_ROOT", raising=False)

    def meet(outcome: BaseException | bytes) -> None:
        def urlopen(*_args: object, **_options: object) -> Answer:
            if isinstance(outcome, bytes):
                return Answer(outcome)
            raise outcome

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)

    return meet


FAILURES = [
    pytest.param(urllib.error.URLError(OSError(-3, "Temporary failure in name resolution")), id="no-name-server"),
    pytest.param(urllib.error.URLError("unknown url type"), id="URLError-with-text"),
    pytest.param(urllib.error.HTTPError("https://example.invalid", 403, "Forbidden", None, None), id="forbidden"),  # type: ignore[arg-type]
    pytest.param(TimeoutError("timed out"), id="timeout"),
    pytest.param(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), id="connection-reset"),
    pytest.param(b"<html>Please log in to this network.</html>", id="another-page"),
    pytest.param(OSError(errno.EHOSTUNREACH, "No route to host"), id="no-route"),
    pytest.param(ssl.SSLError("EOF occurred in violation of protocol"), id="broken-encryption"),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_download_falls_back_to_the_sample_under_a_name_of_its_own(
    network: Network, sample: ImageData, failure: BaseException | bytes
) -> None:
    network(failure)
    config, data, notice = dataset.load_data(study(source="cifar10"))
    assert config.name == "mine-sample"
    assert data is sample
    assert notice is not None
    assert "\n" not in notice
    assert "using the bundled sample of 5,000 images, as study 'mine-sample'" in notice
    assert "Set CIFAR10_ROOT or data.root" in notice


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_download_is_an_error_where_the_fallback_is_forbidden(
    network: Network, failure: BaseException | bytes
) -> None:
    network(failure)
    with pytest.raises(DataError) as refusal:
        dataset.load_data(study(source="cifar10", fallback=False))
    assert "data.fallback is false" in str(refusal.value)
    assert "Set CIFAR10_ROOT or data.root" in str(refusal.value)


def test_a_named_folder_never_falls_back_to_the_sample(network: Network, tmp_path: Path) -> None:
    network(urllib.error.URLError("offline"))
    with pytest.raises(DataError, match="holds no folder cifar-10-batches-py"):
        dataset.load_data(study(source="cifar10", root=tmp_path))


def test_a_study_on_what_was_asked_for_keeps_its_name_and_says_nothing(network: Network, sample: ImageData) -> None:
    network(urllib.error.URLError("offline"))
    config, data, notice = dataset.load_data(study(source="sample"))
    assert (config.name, data, notice) == ("mine", sample, None)


def test_a_download_that_fails_leaves_the_connection_timeout_as_it_was(network: Network) -> None:
    import socket

    network(TimeoutError())
    before = socket.getdefaulttimeout()
    dataset.load_data(study(source="cifar10"))
    assert socket.getdefaulttimeout() == before


# Folders


def write_images(folder: Path, n_images: int, seed: int = 0) -> Path:
    """Fill `folder` with different images of noise, 32x32 PNG."""
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
    assert per_class(data) == [[80, 80], [10, 10], [10, 10]]


def test_a_flat_folder_is_one_class_split_80_10_10(folder: Path) -> None:
    data = load_folder(folder)
    assert data.class_names == ("images",)
    assert sizes(data) == [80, 10, 10]
    assert data.source == "folder"


def test_deeper_folders_belong_to_the_class_of_the_first_level(tmp_path: Path) -> None:
    write_images(tmp_path / "cats" / "2024" / "june", 50)
    write_images(tmp_path / "cats", 50, seed=1)
    assert load_folder(tmp_path).class_names == ("cats",)


def test_a_folders_splits_share_no_image_and_leave_none_out(folder: Path) -> None:
    train, validation, test = (set(pixels_of(split)) for split in splits(load_folder(folder)))
    written = {np.asarray(Image.open(path)).tobytes() for path in folder.iterdir()}
    assert train | validation | test == written
    assert len(train) + len(validation) + len(test) == 100


def test_a_folder_of_32x32_images_is_read_to_the_bit(folder: Path) -> None:
    pixels, labels, _ = read_folder(folder)
    assert np.array_equal(pixels, [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])
    assert labels.tolist() == [0] * 100


def test_a_folders_images_are_uint8_in_channels_last(folder: Path) -> None:
    for split in splits(load_folder(folder)):
        assert split.images.dtype == torch.uint8
        assert split.images.shape[1:] == (3, 32, 32)
        assert split.images.is_contiguous(memory_format=torch.channels_last)


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


def read_one(folder: Path, picture: Image.Image, name: str = "000.png", **options: Any) -> Any:
    """The pixels (32, 32, 3) of `picture` when it stands first in `folder`."""
    (folder / "000.png").unlink()
    picture.save(folder / name, **options)
    pixels, _, _ = read_folder(folder)
    return pixels[0]


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
    pixels = read_one(folder, picture)
    assert pixels.shape == (32, 32, 3)
    assert pixels.reshape(-1, 3).tolist() == [list(colour)] * 1024


def test_a_picture_that_is_not_square_is_cropped_at_its_centre(folder: Path) -> None:
    picture = Image.new("RGB", (96, 32), (255, 0, 0))
    picture.paste((0, 255, 0), (32, 0, 64, 32))
    picture.paste((0, 0, 255), (64, 0, 96, 32))
    assert read_one(folder, picture).reshape(-1, 3).tolist() == [[0, 255, 0]] * 1024


def test_a_picture_is_turned_upright_by_its_exif_tag(folder: Path) -> None:
    stored = Image.new("RGB", (32, 32), (255, 0, 0))
    stored.paste((0, 0, 255), (0, 16, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: shown turned by a quarter clockwise, so that the top comes to the right.
    pixels = read_one(folder, stored, exif=exif)
    assert pixels[:, 0].tolist() == [[0, 0, 255]] * 32
    assert pixels[:, -1].tolist() == [[255, 0, 0]] * 32


@pytest.mark.parametrize(
    "name", ["000.bmp", "000.gif", "000.JPG", "000.jpeg", "000.PNG", "000.ppm", "000.tif", "000.webp"]
)
def test_every_format_that_is_promised_is_read(folder: Path, name: str) -> None:
    assert np.abs(read_one(folder, Image.new("RGB", (40, 40), (90, 90, 90)), name).astype(int) - 90).max() <= 2


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
    assert str(refusal.value).endswith("; mend or remove them")


def test_all_corrupt_images_are_named_at_once_the_rest_counted(folder: Path) -> None:
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
    assert str(refusal.value).startswith(f"data.root: {tmp_path / 'images'} holds {n_images} images (")
    assert str(refusal.value).endswith("at least 100 are needed")


def test_an_absent_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        with pytest.raises(DataError, match=f"^data.root: .*{name} is not a folder"):
            load_folder(tmp_path / name)


def test_a_batch_larger_than_the_training_images_is_refused(folder: Path) -> None:
    config = study(source="folder", root=folder)
    hyperparameters = {size: config.hyperparameters.model_copy(update={"batch_size": size}) for size in (80, 81)}
    fitting = replace_hyperparameters(config, hyperparameters[80])
    assert dataset.load_data(fitting)[1].source == "folder"
    with pytest.raises(DataError, match=r"^hyperparameters.batch_size: must be at most 80\b.*, got 81$"):
        dataset.load_data(replace_hyperparameters(config, hyperparameters[81]))


def replace_hyperparameters(config: StudyConfig, hyperparameters: Any) -> StudyConfig:
    return config.model_copy(update={"hyperparameters": hyperparameters})


def test_data_moved_to_a_device_keeps_labels_digest_and_names(sample: ImageData) -> None:
    moved = sample.to(torch.device("meta"))
    assert [split.images.device.type for split in splits(moved)] == ["meta"] * 3
    assert replace(moved, train=sample.train, validation=sample.validation, test=sample.test) == sample
