"""GIFs: frames, delays, colours and size."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from hpo.figures import animation, gif
from hpo.figures.arrays import Pixels
from tests.figures.pictures import film, noise


def decoded_gif(path: Path) -> tuple[list[Pixels], list[int]]:
    """All frames, and how long each is shown, in ms."""
    frames, durations = [], []
    with Image.open(path) as picture:
        for index in range(getattr(picture, "n_frames", 1)):
            picture.seek(index)
            frames.append(np.asarray(picture.convert("RGB")))
            durations.append(cast(int, picture.info["duration"]))
    return frames, durations


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


def test_a_gif_that_ffmpeg_cannot_encode_leaves_the_earlier_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.gif"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "false")
    with pytest.raises(OSError, match=r"ffmpeg could not encode a GIF \(exit status 1\)"):
        animation.write_gif(film(), path, fps=4)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"earlier"]
