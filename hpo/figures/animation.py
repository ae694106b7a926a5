"""Frames of a run's animations and their files: GIF and MP4.

Legend: frames are RGB uint8 arrays (H, W, 3), H and W even, all of one shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import imageio.v2 as imageio
import imageio_ffmpeg
import numpy as np
from PIL import Image

from hpo.figures.arrays import Pixels
from hpo.figures.gif import encoded_gif, evenly_spaced
from hpo.figures.lazy_sequence import LazySequence
from hpo.figures.tile_rows import paired_rows, plain_rows
from hpo.figures.tile_sheet import draw_sheet
from model.atomic_files import replacing

# Fewer frames no longer show the progress: halve the width and height instead.
_FEWEST_FRAMES = 24
_SMALLEST_MAX_BYTES = 20_000
# Colours are converted as BT.709 and marked as such: without the mark, players guess, and not all the same.
_COLOURS = "scale=out_color_matrix=bt709:out_range=tv,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709"


@dataclass(frozen=True)
class WrittenGif:
    """Frames of a written GIF: `n_frames` of the `n_given`, at 1/`shrink` of their width, to keep to the size limit."""

    n_frames: int
    n_given: int
    shrink: int
    n_bytes: int


def caption(epoch: float, n_epochs: int, val_bpd: float | None, *, is_pca: bool = False) -> str:
    """Return `epoch 3 of 20 · validation 6.61 bits/dim`.

    Epoch 0 is the untrained model, or the model that was just set to pPCA (`is_pca`). None means no score.
    """
    parts = [f"epoch {epoch:g} of {n_epochs}"]
    if epoch == 0:
        parts.append("set to pPCA" if is_pca else "untrained")
    if val_bpd is not None:
        parts.append(f"validation {val_bpd:.2f} bits/dim" if math.isfinite(val_bpd) else "validation not finite")
    return " · ".join(parts)


def draw_reconstruction_frame(
    originals: Pixels,
    reconstructed: Pixels,
    *,
    epoch: float,
    n_epochs: int,
    val_bpd: float | None,
    is_pca: bool = False,
    columns: int = 10,
    scale: int = 3,
) -> Pixels:
    """Draw one frame: originals (N, H, W, 3) on top, their reconstructions below, the epoch beneath.

    `is_pca`: as in `caption`. `scale`: width of one pixel of an image, in pixels of the frame.
    """
    rows, text = paired_rows(originals, reconstructed, columns), caption(epoch, n_epochs, val_bpd, is_pca=is_pca)
    return draw_sheet(rows, scale, caption=text, progress=epoch / max(n_epochs, 1))


def draw_samples_frame(
    samples: Pixels,
    *,
    epoch: float,
    n_epochs: int,
    val_bpd: float | None,
    is_pca: bool = False,
    columns: int = 10,
    scale: int = 3,
) -> Pixels:
    """Draw one frame: images (N, H, W, 3) decoded from the same prior draws, the epoch beneath."""
    rows, text = plain_rows(samples, columns), caption(epoch, n_epochs, val_bpd, is_pca=is_pca)
    return draw_sheet(rows, scale, caption=text, progress=epoch / max(n_epochs, 1))


def write_gif(
    frames: Sequence[Pixels], path: Path, *, fps: float, hold_seconds: float = 2.0, max_bytes: int = 4_000_000
) -> WrittenGif:
    """Write a GIF that loops forever and pauses on its last frame; never larger than `max_bytes`.

    One frame of the file per frame given, unless that is too large: then evenly spaced frames are left out
    (never the first or last), and when too few would remain, width and height are halved.
    Raises: ValueError: no frames, unequal or odd shapes, or a limit too small for any picture.
    """
    _check_frames(frames, fps)
    if max_bytes < _SMALLEST_MAX_BYTES:
        raise ValueError(f"max_bytes must be at least {_SMALLEST_MAX_BYTES}, but got {max_bytes}")
    kept, shrink = frames, 1
    encoded = encoded_gif(kept, fps, hold_seconds)
    while len(encoded) > max_bytes:
        n_fitting = int(0.97 * len(kept) * max_bytes / len(encoded))
        if n_fitting >= min(_FEWEST_FRAMES, len(kept)):
            kept = LazySequence(evenly_spaced(len(kept), n_fitting), kept.__getitem__)
        else:
            kept, shrink = LazySequence(kept, _halved), shrink * 2
        encoded = encoded_gif(kept, fps, hold_seconds)
    with replacing(path) as temporary:
        temporary.write_bytes(encoded)
    return WrittenGif(len(kept), len(frames), shrink, len(encoded))


def write_mp4(frames: Sequence[Pixels], path: Path, *, fps: float, hold_seconds: float = 2.0) -> None:
    """Write H.264 in yuv420p, which every browser plays; the last frame is repeated for `hold_seconds`.

    Raises: ValueError: no frames, or unequal or odd shapes; OSError: the video is incomplete.
    """
    _check_frames(frames, fps)
    n_held = max(1, round(hold_seconds * fps)) - 1
    with replacing(path) as temporary:
        writer = imageio.get_writer(
            temporary,
            format="FFMPEG",
            mode="I",
            fps=fps,
            codec="libx264",
            pixelformat="yuv420p",
            macro_block_size=2,
            quality=None,
            ffmpeg_log_level="error",
            output_params=["-crf", "16", "-movflags", "+faststart", "-vf", _COLOURS],
        )
        with writer:
            for frame in chain(frames, repeat(frames[-1], n_held)):
                writer.append_data(frame)
        _check_video(temporary, path, len(frames) + n_held)


def _check_video(written: Path, path: Path, n_frames: int) -> None:
    """Raise OSError if the video is incomplete: imageio ignores ffmpeg's exit status, also on a full disk."""
    try:
        n_written, _ = imageio_ffmpeg.count_frames_and_secs(str(written))
    except RuntimeError as error:
        raise OSError(f"{path}: ffmpeg left no readable video; is the disk full?") from error
    if n_written != n_frames:
        raise OSError(f"{path}: ffmpeg wrote {n_written} of {n_frames} frames; is the disk full?")


def _check_frames(frames: Sequence[Pixels], fps: float) -> None:
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise ValueError(f"frames must be at least one and all of one shape, but got {sorted(shapes)}")
    height, width, channels = shapes.pop()
    if height % 2 or width % 2 or channels != 3 or any(frame.dtype != np.uint8 for frame in frames):
        raise ValueError(f"frames must be uint8 (H, W, 3), H and W even, but got {(height, width, channels)}")
    if not fps > 0:
        raise ValueError(f"fps must be > 0, but got {fps}")


def _halved(frame: Pixels) -> Pixels:
    image = Image.fromarray(frame)
    return np.asarray(image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX))
