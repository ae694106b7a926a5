"""GIFs: frames, delays, colours and size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from hpo.figures import animation, gif
from hpo.figures.arrays import Pixels
from tests.figures.pictures import animation_frames, noise


@dataclass(frozen=True)
class DecodedGif:
    """Frames of a GIF, and the time that each is shown, in ms."""

    frames: list[Pixels]
    durations: list[int]
    loop: int


def decoded(path: Path) -> DecodedGif:
    """Decode a GIF with Pillow."""
    frames, durations = [], []
    with Image.open(path) as opened:
        loop = opened.info["loop"]
        for index in range(getattr(opened, "n_frames", 1)):
            opened.seek(index)
            frames.append(np.asarray(opened.convert("RGB")))
            durations.append(cast(int, opened.info["duration"]))
    return DecodedGif(frames, durations, loop)


def test_gif_has_all_frames_loops_forever_and_holds_the_last(tmp_path: Path) -> None:
    frames = animation_frames()
    written = animation.write_gif(frames, tmp_path / "animation.gif", fps=4)
    gif_file = decoded(tmp_path / "animation.gif")
    assert len(gif_file.frames) == len(frames) == written.n_frames
    assert gif_file.durations == [250] * (len(frames) - 1) + [2000]
    assert gif_file.loop == 0


def test_frames_are_close_to_those_given_with_paper_and_ink_exact(tmp_path: Path) -> None:
    frames = animation_frames()
    animation.write_gif(frames, tmp_path / "animation.gif", fps=4)
    decoded_frames = decoded(tmp_path / "animation.gif").frames
    for decoded_frame, frame in zip(decoded_frames, frames, strict=True):
        assert np.abs(decoded_frame.astype(int) - frame).mean() < 3
    for colour in ((255, 255, 255), (31, 35, 40)):
        mask = (frames[0] == colour).all(axis=-1)
        assert mask.any()
        assert (decoded_frames[0][mask] == colour).all()


def test_equal_frames_give_equal_bytes() -> None:
    assert gif.encoded_gif(animation_frames(), 4, 2.0) == gif.encoded_gif(animation_frames(), 4, 2.0)


def test_identical_frames_are_all_kept(tmp_path: Path) -> None:
    animation.write_gif([animation_frames()[0]] * 5, tmp_path / "still.gif", fps=5)
    still = decoded(tmp_path / "still.gif")
    assert still.durations == [200] * 4 + [2000]
    assert all(np.array_equal(frame, still.frames[0]) for frame in still.frames)


def test_a_single_frame_makes_a_gif(tmp_path: Path) -> None:
    animation.write_gif(animation_frames()[:1], tmp_path / "one.gif", fps=5)
    assert decoded(tmp_path / "one.gif").durations == [2000]


def test_a_gif_above_the_size_limit_loses_frames_but_neither_first_nor_last(tmp_path: Path) -> None:
    frames = noise(120)
    written = animation.write_gif(frames, tmp_path / "noise.gif", fps=10, max_bytes=150_000)
    thinned = decoded(tmp_path / "noise.gif")
    assert (tmp_path / "noise.gif").stat().st_size == written.n_bytes <= 150_000
    assert (written.n_given, written.n_frames, written.shrink) == (120, len(thinned.frames), 1)
    assert 24 <= len(thinned.frames) < 120
    assert thinned.durations[-1] == 2000
    for index in (0, -1):
        assert np.abs(thinned.frames[index].astype(int) - frames[index]).mean() < 25


def test_a_gif_that_would_lose_too_many_frames_is_made_smaller_instead(tmp_path: Path) -> None:
    written = animation.write_gif(noise(26, 80, 120), tmp_path / "noise.gif", fps=10, max_bytes=60_000)
    assert written.n_bytes <= 60_000
    assert written.shrink > 1
    assert written.n_frames >= 24
    assert decoded(tmp_path / "noise.gif").frames[0].shape == (80 // written.shrink, 120 // written.shrink, 3)


def test_thinning_is_even_and_keeps_both_ends() -> None:
    assert gif.evenly_spaced(9, 5) == [0, 2, 4, 6, 8]
    assert gif.evenly_spaced(1, 1) == [0]


def test_a_gif_that_ffmpeg_cannot_encode_leaves_the_earlier_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "animation.gif"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "false")
    with pytest.raises(OSError, match=r"ffmpeg could not encode a GIF \(exit status 1\)"):
        animation.write_gif(animation_frames(), path, fps=4)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"earlier"]
