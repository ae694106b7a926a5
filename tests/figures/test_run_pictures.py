"""The figures: what they show, that they decode, and that a failed write costs nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import imageio.v2 as imageio
import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hpo.figures import animation, gif, style, tile_rows, tile_sheet
from hpo.figures.run import loss_curves, reconstructions, samples
from hpo.figures.style import Pixels


def images(n: int, seed: int = 0) -> Pixels:
    """Soft colour gradients, uint8 (n, 32, 32, 3), much like what a VAE decodes."""
    corners = np.random.default_rng(seed).integers(0, 256, (n, 2, 2, 3))
    ramp = np.linspace(0, 1, 32)
    weights = np.stack([1 - ramp, ramp], axis=1)
    blended: Pixels = np.einsum("hi,nijc,wj->nhwc", weights, corners, weights).astype(np.uint8)
    return blended


def noise(n: int, height: int = 40, width: int = 60) -> list[Pixels]:
    """What no format compresses: n frames (height, width, 3)."""
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(n)]


def film(n_epochs: int = 4) -> list[Pixels]:
    return [
        animation.reconstruction_frame(
            images(3), images(3, seed=epoch), epoch=epoch, n_epochs=n_epochs, val_bpd=7.0 - epoch / 10
        )
        for epoch in range(n_epochs + 1)
    ]


def history(val_bpd: list[float]) -> pd.DataFrame:
    """A run of len(val_bpd) - 1 epochs; the first row is the untrained model."""
    epochs = np.arange(len(val_bpd), dtype=float)
    table = pd.DataFrame({"epoch": epochs, "val_bpd": val_bpd, "train_bpd": np.array(val_bpd) - 0.1})
    for split in ("train", "val"):
        table[f"{split}_rate_nats"] = 10.0 * epochs
        table[f"{split}_mse"] = 0.05 / (1 + epochs)
    table["learning_rate"] = 1e-3
    table.loc[0, ["train_bpd", "train_rate_nats", "train_mse", "learning_rate"]] = math.nan
    return table


def decoded_gif(path: Path) -> tuple[list[Pixels], list[int]]:
    """All frames, and how long each is shown, in ms."""
    frames, durations = [], []
    with Image.open(path) as picture:
        for index in range(getattr(picture, "n_frames", 1)):
            picture.seek(index)
            frames.append(np.asarray(picture.convert("RGB")))
            durations.append(cast(int, picture.info["duration"]))
    return frames, durations


def test_curves_leave_out_the_untrained_row_and_tell_its_value() -> None:
    score = loss_curves.loss_curve_data(history([8.4, 6.9, 6.5, 6.6])).panels[0]
    assert score == loss_curves.Panel(
        "Score",
        "bits/dim",
        ".3f",
        (
            loss_curves.Curve("train", (1.0, 2.0, 3.0), (6.9 - 0.1, 6.5 - 0.1, 6.6 - 0.1)),
            loss_curves.Curve("validation", (1.0, 2.0, 3.0), (6.9, 6.5, 6.6)),
        ),
        untrained=8.4,
    )


def test_best_and_last_epoch_are_told_apart() -> None:
    data = loss_curves.loss_curve_data(history([8.4, 6.9, 6.5, 6.6]))
    assert (data.best, data.last) == ((2.0, 6.5), (3.0, 6.6))


def test_an_untrained_score_below_the_rest_is_never_the_best() -> None:
    assert loss_curves.loss_curve_data(history([6.0, 6.9, 6.5])).best == (2.0, 6.5)


def test_a_run_that_ends_in_nan_has_a_best_epoch_but_no_last_score() -> None:
    data = loss_curves.loss_curve_data(history([8.4, 6.9, 6.5, math.nan]))
    assert (data.best, data.last, data.last_epoch) == ((2.0, 6.5), None, 3.0)


def test_curves_of_a_run_without_an_untrained_row_are_the_same() -> None:
    table = history([8.4, 6.9, 6.5])
    with_row, without_row = loss_curves.loss_curve_data(table), loss_curves.loss_curve_data(table[1:])
    assert [panel.curves for panel in with_row.panels] == [panel.curves for panel in without_row.panels]
    assert [panel.untrained for panel in without_row.panels] == [None] * 4


@pytest.mark.parametrize(("last", "shown"), [(1.3e-11, "0"), (2e-4, "0.0002"), (1e-3, "0.001")])
def test_a_learning_rate_that_fell_to_nothing_ends_at_zero(last: float, shown: str) -> None:
    table = history([8.4, 6.9, 6.5]).assign(learning_rate=[math.nan, 1e-3, last])
    panel = loss_curves.loss_curve_data(table).panels[-1]
    assert loss_curves.panel_title(panel) == f"Learning rate: at most 0.001, {shown} at the end"


@pytest.mark.parametrize(
    "scores",
    [[8.4], [8.4, 6.9], [8.4, math.nan, math.nan], [math.nan, 6.9, math.inf], [8.4, *[6.6] * 60]],
    ids=["untrained only", "one epoch", "no score", "ends in infinity", "sixty epochs"],
)
def test_loss_curves_render_for(scores: list[float], tmp_path: Path) -> None:
    loss_curves.draw_loss_curves(history(scores), tmp_path / "loss_curves.png")
    with Image.open(tmp_path / "loss_curves.png") as picture:
        assert picture.size == (13 * style.DPI, 8.4 * style.DPI)


def test_strip_enlarges_every_pixel_to_a_square_and_keeps_its_value() -> None:
    two = np.array([[[[1, 2, 3]]], [[[250, 251, 252]]]], np.uint8)
    expected = np.array([[[1, 2, 3]] * 2 + [[255] * 3] + [[250, 251, 252]] * 2] * 2, np.uint8)
    assert np.array_equal(tile_sheet.strip(two, scale=2, gap=1), expected)


def test_every_reconstruction_lies_below_its_original() -> None:
    originals, reconstructed = images(11), images(11, seed=1)
    rows = tile_rows.paired_rows(originals, reconstructed, columns=8)
    assert [row.label for row in rows] == ["original", "reconstruction"] * 2
    assert [row.starts_group for row in rows] == [True, False, True, False]
    assert np.array_equal(np.concatenate([row.images for row in rows[::2]]), originals)
    assert np.array_equal(np.concatenate([row.images for row in rows[1::2]]), reconstructed)


def test_tiles_appear_in_the_picture_unchanged(tmp_path: Path) -> None:
    originals, reconstructed = images(8), images(8, seed=1)
    reconstructions.draw_reconstructions(
        [reconstructions.ReconstructionGroup("Eight pairs", originals, reconstructed)], 0.01, tmp_path / "pair.png"
    )
    with Image.open(tmp_path / "pair.png") as picture:
        drawn = np.asarray(picture)
    for shown in (originals, reconstructed):
        assert contains(drawn, tile_sheet.strip(shown, scale=4, gap=8))


def contains(picture: Pixels, part: Pixels) -> bool:
    """Whether `part` lies somewhere in `picture`, pixel for pixel."""
    height, width, _ = part.shape
    corners = np.argwhere((picture[: 1 - height, : 1 - width] == part[0, 0]).all(axis=-1))
    return any(np.array_equal(picture[y : y + height, x : x + width], part) for y, x in corners)


def test_images_that_are_not_uint8_are_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8.*but got float64 \(2, 32, 32, 3\)"):
        tile_rows.plain_rows(np.zeros((2, 32, 32, 3)), columns=8)  # type: ignore[arg-type]


def test_unequal_numbers_of_originals_and_reconstructions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"like the originals, but got uint8 \(2,"):
        tile_rows.paired_rows(images(3), images(2), columns=8)


def test_captions_name_epoch_and_score() -> None:
    assert animation.caption(3, 20, 6.613) == "epoch 3 of 20 · validation 6.61 bits/dim"
    assert animation.caption(0, 20, 8.4) == "epoch 0 of 20 · untrained · validation 8.40 bits/dim"
    assert animation.caption(3, 20, math.nan) == "epoch 3 of 20 · validation not finite"


@pytest.mark.parametrize("n", [1, 7, 10, 20])
def test_all_frames_of_a_film_have_one_even_shape(n: int) -> None:
    tile_sheet = images(n)
    shapes = {
        animation.reconstruction_frame(tile_sheet, tile_sheet, epoch=epoch, n_epochs=1000, val_bpd=score).shape
        for epoch, score in ((0, 12.34), (9, math.nan), (1000, 6.5))
    }
    assert len(shapes) == 1
    assert all(side % 2 == 0 for side in shapes.pop()[:2])


def test_originals_stay_where_they_are_in_every_frame() -> None:
    frames = film()
    top = 28 + 32 * 3
    assert all(np.array_equal(frame[:top], frames[0][:top]) for frame in frames)
    assert len({frame.tobytes() for frame in frames}) == len(frames)


def test_samples_frame_shows_all_samples() -> None:
    samples = images(20)
    frame = animation.samples_frame(samples, epoch=1, n_epochs=2, val_bpd=6.6)
    assert all(contains(frame, tile_sheet.strip(samples[i : i + 10], 3, 6)) for i in (0, 10))


def test_gif_has_one_frame_per_frame_and_holds_the_last(tmp_path: Path) -> None:
    frames = film()
    written = animation.write_gif(frames, tmp_path / "film.gif", fps=4)
    decoded, durations = decoded_gif(tmp_path / "film.gif")
    assert len(decoded) == len(frames) == written.n_frames
    assert durations == [250] * (len(frames) - 1) + [2000]


def test_gif_loops_forever(tmp_path: Path) -> None:
    animation.write_gif(film(), tmp_path / "film.gif", fps=4)
    with Image.open(tmp_path / "film.gif") as picture:
        assert picture.info["loop"] == 0


def test_every_gif_frame_is_close_to_the_frame_given(tmp_path: Path) -> None:
    frames = film()
    animation.write_gif(frames, tmp_path / "film.gif", fps=4)
    for shown, given in zip(decoded_gif(tmp_path / "film.gif")[0], frames, strict=True):
        assert np.abs(shown.astype(int) - given).mean() < 3


def test_gif_keeps_paper_and_ink_exactly(tmp_path: Path) -> None:
    frames = film()
    animation.write_gif(frames, tmp_path / "film.gif", fps=4)
    first = decoded_gif(tmp_path / "film.gif")[0][0]
    for colour in ((255, 255, 255), (31, 35, 40)):
        given = (frames[0] == colour).all(axis=-1)
        assert given.any()
        assert (first[given] == colour).all()


def test_identical_frames_are_all_kept(tmp_path: Path) -> None:
    animation.write_gif([film()[0]] * 5, tmp_path / "still.gif", fps=5)
    decoded, durations = decoded_gif(tmp_path / "still.gif")
    assert durations == [200] * 4 + [2000]
    assert all(np.array_equal(frame, decoded[0]) for frame in decoded)


def test_a_single_frame_makes_a_gif(tmp_path: Path) -> None:
    animation.write_gif(film()[:1], tmp_path / "one.gif", fps=5)
    assert decoded_gif(tmp_path / "one.gif")[1] == [2000]


def test_too_large_a_gif_loses_frames_but_neither_first_nor_last(tmp_path: Path) -> None:
    frames = noise(120)
    written = animation.write_gif(frames, tmp_path / "noise.gif", fps=10, max_bytes=150_000)
    decoded, durations = decoded_gif(tmp_path / "noise.gif")
    assert (tmp_path / "noise.gif").stat().st_size == written.n_bytes <= 150_000
    assert (written.n_given, written.n_frames, written.shrink) == (120, len(decoded), 1)
    assert 24 <= len(decoded) < 120
    assert durations[-1] == 2000
    for shown, given in ((decoded[0], frames[0]), (decoded[-1], frames[-1])):
        assert np.abs(shown.astype(int) - given).mean() < 25


def test_a_gif_that_would_lose_too_many_frames_is_made_smaller_instead(tmp_path: Path) -> None:
    written = animation.write_gif(noise(30, 120, 160), tmp_path / "noise.gif", fps=10, max_bytes=60_000)
    assert written.n_bytes <= 60_000
    assert written.shrink > 1
    assert written.n_frames >= 24
    assert decoded_gif(tmp_path / "noise.gif")[0][0].shape == (120 // written.shrink, 160 // written.shrink, 3)


def test_thinning_is_even_and_keeps_both_ends() -> None:
    assert gif.evenly_spaced(9, 5) == [0, 2, 4, 6, 8]
    assert gif.evenly_spaced(1, 1) == [0]


def test_mp4_decodes_to_all_frames_and_the_held_last(tmp_path: Path) -> None:
    frames = film()
    animation.write_mp4(frames, tmp_path / "film.mp4", fps=4)
    decoded = imageio.mimread(tmp_path / "film.mp4", memtest=False)
    assert len(decoded) == len(frames) - 1 + 8
    for shown, given in ((decoded[0], frames[0]), (decoded[-1], frames[-1])):
        assert shown.shape == given.shape
        assert np.abs(shown.astype(int) - given).mean() < 4


def test_mp4_is_one_that_browsers_play_while_loading(tmp_path: Path) -> None:
    animation.write_mp4(film(), tmp_path / "film.mp4", fps=2.5)
    meta = next(imageio_ffmpeg.read_frames(tmp_path / "film.mp4"))
    assert (meta["codec"], meta["fps"]) == ("h264", 2.5)
    assert meta["pix_fmt"].startswith("yuv420p")
    content = (tmp_path / "film.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_writing_a_film_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    animation.write_mp4(film(), tmp_path / "film.mp4", fps=4)
    animation.write_gif(film(), tmp_path / "film.gif", fps=4)
    assert capfd.readouterr() == ("", "")


def test_a_film_cut_short_by_a_full_disk_leaves_the_earlier_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(imageio_ffmpeg, "count_frames_and_secs", lambda _: (3, 0.6))
    with pytest.raises(OSError, match=r"film\.mp4: ffmpeg wrote 3 of 12 frames"):
        animation.write_mp4(film(), path, fps=4)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"earlier"]


def test_a_failed_drawing_leaves_the_earlier_picture_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half_written(_: object, path: Path, **options: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "samples.png"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(Image.Image, "save", half_written)
    with pytest.raises(OSError, match="No space left"):
        samples.draw_samples(images(8), images(8), 10, path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"earlier"]


def test_a_gif_that_ffmpeg_cannot_encode_leaves_the_earlier_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.gif"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "false")
    with pytest.raises(OSError, match=r"ffmpeg could not encode a GIF \(exit status 1\)"):
        animation.write_gif(film(), path, fps=4)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"earlier"]


@pytest.mark.parametrize("write", [animation.write_gif, animation.write_mp4])
def test_unfit_frames_are_refused_before_anything_is_written(write: object, tmp_path: Path) -> None:
    even, odd = np.zeros((4, 6, 3), np.uint8), np.zeros((5, 6, 3), np.uint8)
    for frames, fps in (([], 5), ([even, odd], 5), ([odd], 5), ([even], 0)):
        with pytest.raises(ValueError, match="but got"):
            write(frames, tmp_path / "film", fps=fps)  # type: ignore[operator]
    assert not list(tmp_path.iterdir())
