"""One image file: pixels as a person sees them, or a refusal that names the file; nothing printed."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.data.image_file import UnreadableImage, read_image

WHITE, BLACK = [255, 255, 255], [0, 0, 0]


def read_saved(picture: Image.Image, path: Path, **options: Any) -> NDArray[np.uint8]:
    picture.save(path, **options)
    return read_image(path)


def grey(samples: Any, kind: Any) -> Image.Image:
    """32x32 samples of one type: the given ones, left half and right half."""
    return Image.fromarray(np.repeat(np.array([samples], kind), 16, axis=1).repeat(32, axis=0))


def exif_with(tag: int, kind: int, count: int) -> bytes:
    """EXIF block with orientation 6 and one other tag, in little-endian bytes."""
    entries = ((0x0112, 3, 1, 6), (tag, kind, count, 65))
    directory = b"".join(struct.pack("<HHIHH", *entry, 0) for entry in entries)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4)


def twelve_bit_tiff(value: int) -> bytes:
    """TIFF of 32x32 samples of 12 bits, which Pillow reads but does not write."""
    pixels = int(f"{value:012b}" * 1024, 2).to_bytes(1536, "big")
    tags = {256: 32, 257: 32, 258: 12, 259: 1, 262: 1, 273: 122, 277: 1, 278: 32, 279: 1536}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, number) for tag, number in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + pixels


@pytest.mark.parametrize("odd_tag", [(0x011A, 2, 1), (0x0128, 2, 2)], ids=["text-for-a-ratio", "text-for-a-number"])
def test_a_photo_with_an_odd_exif_tag_is_turned_upright(tmp_path: Path, odd_tag: tuple[int, int, int]) -> None:
    stored = Image.new("RGB", (32, 32), (255, 0, 0))
    stored.paste((0, 0, 255), (0, 16, 32, 32))
    pixels = read_saved(stored, tmp_path / "photo.jpg", exif=exif_with(*odd_tag), quality=95, subsampling=0)
    assert pixels[:, :15, 2].min() > 200
    assert pixels[:, 17:, 0].min() > 200


def test_a_photo_whose_exif_block_is_damaged_is_read_as_it_lies(tmp_path: Path) -> None:
    photo = Image.new("RGB", (32, 32), (255, 0, 0))
    assert read_saved(photo, tmp_path / "photo.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f", quality=95)[0, 0, 0] > 250


def disc(colour: tuple[int, int, int], below: tuple[int, int, int]) -> Image.Image:
    """A disc of one colour on nothing; `below` lies in the transparent pixels."""
    picture = Image.new("RGBA", (64, 64), (*below, 0))
    ImageDraw.Draw(picture).ellipse((12, 12, 52, 52), fill=(*colour, 255))
    return picture


@pytest.mark.parametrize("name", ["logo.png", "logo.webp", "logo.tif"])
def test_a_transparent_picture_lies_over_white_whatever_its_hidden_colour(tmp_path: Path, name: str) -> None:
    options = {"lossless": True, "exact": True} if name.endswith("webp") else {}
    one = read_saved(disc((0, 0, 0), below=(0, 0, 0)), tmp_path / name, **options)
    assert (one[0, 0].tolist(), one[16, 16].tolist()) == (WHITE, BLACK)
    assert np.array_equal(one, read_saved(disc((0, 0, 0), below=(255, 0, 255)), tmp_path / name, **options))


@pytest.mark.parametrize("name", ["icon.png", "icon.gif"])
def test_the_edges_of_a_palette_icon_mix_its_colour_with_white_alone(tmp_path: Path, name: str) -> None:
    icon = Image.new("P", (64, 64), 0)
    icon.putpalette([255, 0, 255, 200, 0, 0])
    ImageDraw.Draw(icon).ellipse((12, 12, 52, 52), fill=1)
    pixels = read_saved(icon, tmp_path / name, transparency=0).astype(int)
    assert pixels[0, 0].tolist() == WHITE
    assert pixels[16, 16].tolist() == [200, 0, 0]
    assert np.abs(pixels[..., 1] - pixels[..., 2]).max() == 0, "the hidden magenta shows"


@pytest.mark.parametrize(
    ("picture", "colour"),
    [
        pytest.param(Image.new("LA", (32, 32), (9, 0)), WHITE, id="hidden-grey"),
        pytest.param(Image.new("RGB", (32, 32), (9, 9, 9)), WHITE, id="transparent-colour"),
        pytest.param(grey([9, 9], np.uint16), WHITE, id="transparent-16-bit"),
    ],
)
def test_every_kind_of_transparency_shows_white(tmp_path: Path, picture: Image.Image, colour: list[int]) -> None:
    options = {} if picture.mode == "LA" else {"transparency": (9, 9, 9) if picture.mode == "RGB" else 9}
    assert read_saved(picture, tmp_path / "hidden.png", **options)[5, 5].tolist() == colour


@pytest.mark.parametrize(
    ("picture", "options", "expected"),
    [
        pytest.param(grey([0.0, 1.0], np.float32), {}, (0, 255), id="float-to-1"),
        pytest.param(grey([-0.5, 0.5], np.float32), {}, (0, 128), id="float-below-0"),
        pytest.param(grey([0, 200], np.float32), {}, (0, 200), id="float-to-255"),
        pytest.param(grey([0, 65535], np.float32), {}, (0, 255), id="float-to-65535"),
        pytest.param(grey([0, 32896], np.uint16), {}, (0, 128), id="16-bit"),
        pytest.param(grey([0, 2056], np.uint16), {"tiffinfo": {281: 4095}}, (0, 128), id="12-bit-in-16"),
        pytest.param(grey([0, 65535], np.uint16), {"tiffinfo": {262: 0}}, (255, 0), id="white-is-0"),
        pytest.param(grey([0, 2**30], np.int32), {}, (0, 127), id="32-bit"),
        pytest.param(grey([0, 32896], np.int32), {}, (0, 128), id="16-bit-in-32"),
    ],
)
def test_samples_of_more_than_8_bits_are_scaled_by_their_range(
    tmp_path: Path, picture: Image.Image, options: dict[str, Any], expected: tuple[int, int]
) -> None:
    pixels = read_saved(picture, tmp_path / "scan.tif", **options)
    assert (pixels[5, 2].tolist(), pixels[5, -3].tolist()) == tuple([value] * 3 for value in expected)


def test_a_tiff_of_12_bits_is_white_at_4095(tmp_path: Path) -> None:
    (tmp_path / "scan.tif").write_bytes(twelve_bit_tiff(4095))
    assert read_image(tmp_path / "scan.tif").min() == 255


def test_floats_without_a_range_are_refused_by_name(tmp_path: Path) -> None:
    for value in (float("nan"), 1e9):
        with pytest.raises(UnreadableImage, match=r"scan\.tif \(its largest sample is (nan|1e\+09); must be"):
            read_saved(grey([0, value], np.float32), tmp_path / "scan.tif")


def test_a_decoder_that_logs_a_fault_is_silent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scan = twelve_bit_tiff(0).replace(struct.pack("<HHII", 277, 4, 1, 1), struct.pack("<HHII", 277, 4, 1, 99))
    (tmp_path / "scan.tif").write_bytes(scan)
    with pytest.raises(UnreadableImage):
        read_image(tmp_path / "scan.tif")
    assert caplog.records == []


def test_the_ink_of_a_cmyk_file_is_its_colour(tmp_path: Path) -> None:
    for name in ("print.jpg", "print.tif"):
        pixels = read_saved(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), tmp_path / name)
        assert np.abs(pixels.astype(int) - [255, 0, 0]).max() <= 2


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("lime", "red")]
    for name in ("loop.gif", "loop.webp", "loop.png", "loop.tif"):
        pixels = read_saved(frames[0], tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        assert pixels[5, 5].tolist() == [0, 255, 0]


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def sound_files() -> list[tuple[str, bytes]]:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8))
    exif = exif_with(0x0128, 3, 1)
    return [
        ("a.jpg", encoded(noise, "JPEG", exif=exif)),
        ("a.png", encoded(noise.quantize(8), "PNG", exif=exif, transparency=0)),
        ("a.gif", encoded(noise.quantize(8), "GIF", save_all=True, append_images=[noise.quantize(4)])),
        ("a.webp", encoded(noise.convert("RGBA"), "WEBP", exif=exif)),
        ("a.tif", encoded(noise, "TIFF", compression="tiff_lzw")),
        ("a.tiff", encoded(noise, "TIFF", compression="jpeg")),
        ("a.ppm", encoded(noise, "PPM")),
        ("a.bmp", encoded(noise.quantize(8), "BMP")),
    ]


def damaged(contents: bytes, random: np.random.Generator) -> bytes:
    """Change one to five bytes, mostly of the header; in one of ten files, cut the end off."""
    changed = bytearray(contents)
    for _ in range(random.integers(1, 6)):
        changed[random.integers(min(len(changed), random.choice([80, len(changed)])))] = random.choice([0, 1, 127, 255])
    return bytes(changed[: random.integers(len(changed))] if random.random() < 0.1 else changed)


def test_damaged_bytes_are_read_or_refused_by_name_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    random, refusals = np.random.default_rng(0), set()
    for name, contents in sound_files() * 40:
        path = tmp_path / name
        path.write_bytes(damaged(contents, random))
        try:
            assert read_image(path).shape == (32, 32, 3)
        except UnreadableImage as error:
            assert str(error).startswith(f"{path} (")
            refusals.add(type(error.__cause__))
    assert len(refusals) >= 4, "the damage reaches several parts of the decoders"
    assert capfd.readouterr() == ("", "")
    assert len(recwarn) == 0
