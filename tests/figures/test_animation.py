"""Frames of animations, and their MP4."""

from __future__ import annotations

import math
from pathlib import Path

import imageio.v2 as imageio
import imageio_ffmpeg
import numpy as np
import pytest

from hpo.figures import animation, tile_sheet
from tests.figures.pictures import animation_frames, contains, images


def test_captions_name_epoch_and_score() -> None:
    assert animation.caption(3, 20, 6.613) == "epoch 3 of 20 · validation 6.61 bits/dim"
    assert animation.caption(0, 20, 8.4) == "epoch 0 of 20 · untrained · validation 8.40 bits/dim"
    assert animation.caption(0, 20, 5.65, is_pca=True) == "epoch 0 of 20 · set to pPCA · validation 5.65 bits/dim"
    assert animation.caption(3, 20, math.nan) == "epoch 3 of 20 · validation not finite"


@pytest.mark.parametrize("n", [1, 7, 10, 20])
def test_all_frames_of_an_animation_have_one_even_shape(n: int) -> None:
    tiles = images(n)
    shapes = {
        animation.draw_reconstruction_frame(tiles, tiles, epoch=epoch, n_epochs=1000, val_bpd=score).shape
        for epoch, score in ((0, 12.34), (9, math.nan), (1000, 6.5))
    }
    assert len(shapes) == 1
    assert all(side % 2 == 0 for side in shapes.pop()[:2])


def test_originals_have_the_same_position_in_every_frame() -> None:
    frames = animation_frames()
    top = 28 + 32 * 3
    assert all(np.array_equal(frame[:top], frames[0][:top]) for frame in frames)
    assert len({frame.tobytes() for frame in frames}) == len(frames)


def test_samples_frame_shows_all_samples() -> None:
    samples = images(20)
    frame = animation.draw_samples_frame(samples, epoch=1, n_epochs=2, val_bpd=6.6)
    assert all(contains(frame, tile_sheet.joined_tiles(samples[i : i + 10], 3, 6)) for i in (0, 10))


def test_mp4_decodes_to_all_frames_and_repeats_the_last(tmp_path: Path) -> None:
    frames = animation_frames()
    animation.write_mp4(frames, tmp_path / "animation.mp4", fps=4)
    decoded = imageio.mimread(tmp_path / "animation.mp4", memtest=False)
    assert len(decoded) == len(frames) - 1 + 8
    for decoded_frame, frame in ((decoded[0], frames[0]), (decoded[-1], frames[-1])):
        assert decoded_frame.shape == frame.shape
        assert np.abs(decoded_frame.astype(int) - frame).mean() < 4


def test_browsers_play_the_mp4_while_it_loads(tmp_path: Path) -> None:
    animation.write_mp4(animation_frames(), tmp_path / "animation.mp4", fps=2.5)
    meta = next(imageio_ffmpeg.read_frames(tmp_path / "animation.mp4"))
    assert (meta["codec"], meta["fps"]) == ("h264", 2.5)
    assert meta["pix_fmt"].startswith("yuv420p")
    content = (tmp_path / "animation.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_writing_an_animation_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    animation.write_mp4(animation_frames(), tmp_path / "animation.mp4", fps=4)
    animation.write_gif(animation_frames(), tmp_path / "animation.gif", fps=4)
    assert capfd.readouterr() == ("", "")


def test_an_mp4_cut_short_by_a_full_disk_leaves_the_earlier_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "animation.mp4"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(imageio_ffmpeg, "count_frames_and_secs", lambda _: (3, 0.6))
    with pytest.raises(OSError, match=r"animation\.mp4: ffmpeg wrote 3 of 12 frames"):
        animation.write_mp4(animation_frames(), path, fps=4)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"earlier"]


@pytest.mark.parametrize("write", [animation.write_gif, animation.write_mp4])
def test_invalid_frames_are_refused_before_anything_is_written(write: object, tmp_path: Path) -> None:
    even, odd = np.zeros((4, 6, 3), np.uint8), np.zeros((5, 6, 3), np.uint8)
    for frames, fps in (([], 5), ([even, odd], 5), ([odd], 5), ([even], 0)):
        with pytest.raises(ValueError, match="but got"):
            write(frames, tmp_path / "animation", fps=fps)  # type: ignore[operator]
    assert not list(tmp_path.iterdir())
