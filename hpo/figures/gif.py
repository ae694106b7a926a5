"""GIF encoder: one palette for all frames, computed and applied exactly.

Legend: frames are RGB uint8 arrays (H, W, 3), all of one shape.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hpo.figures.style import Pixels

# Palette entries kept for the most frequent colours as they are: paper, ink, edges of letters, bar.
_N_EXACT = 24
_N_SAMPLED = 20_000
_PACKING = np.array([1 << 16, 1 << 8, 1], np.uint32)


def encoded_gif(frames: Sequence[Pixels], fps: float, hold_seconds: float) -> bytes:
    """Encode a looping GIF with one palette for all frames and exactly one image per frame."""
    palette = shared_palette(frames)
    nearest = _nearest_entries(palette)
    images = [_indexed(frame, palette, nearest, twin=index % 2 == 1) for index, frame in enumerate(frames)]
    # GIF counts in 1/100 s, and browsers slow anything under 2/100 s down to 1/10 s.
    durations = [max(2, round(100 / fps)) * 10] * len(frames)
    durations[-1] = max(2, round(100 * hold_seconds)) * 10
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=images[1:],
        palette=palette.tobytes(),
        duration=durations,
        loop=0,
        disposal=1,
        optimize=False,
    )
    return buffer.getvalue()


def evenly_spaced(n: int, n_kept: int) -> list[int]:
    """Return `n_kept` evenly spaced indices of 0 … n-1, among them the first and the last."""
    return [round(index) for index in np.linspace(0, n - 1, n_kept)]


def shared_palette(frames: Sequence[Pixels]) -> Pixels:
    """Compute 256 colours (256, 3) from frames of the whole run; entry 255 repeats entry 0, the most frequent.

    The colours found most often (paper, ink and the edges of letters) are kept exactly: text stays crisp.
    """
    chosen = evenly_spaced(len(frames), min(len(frames), 12))
    codes = np.concatenate([(frames[index].astype(np.uint32) @ _PACKING).ravel() for index in chosen])
    colours, counts = np.unique(codes, return_counts=True)
    exact = colours[np.argsort(counts, kind="stable")[::-1][:_N_EXACT]]
    # A sample of pixels: k-means over all of them takes ten times as long and is no better.
    others = codes[~np.isin(codes, exact)]
    n_rest = 255 - len(exact)
    rest = np.empty((0, 3), np.uint8)
    if len(others):
        montage = Image.fromarray(_unpacked(others[:: 1 + len(others) // _N_SAMPLED])[None])
        quantized = montage.quantize(n_rest, Image.Quantize.MEDIANCUT, kmeans=1)
        rest = np.array(quantized.getpalette(), np.uint8).reshape(-1, 3)[:n_rest]
    # A picture of few colours leaves entries over: they repeat the first, as its twin does.
    spare = _unpacked(exact[:1]).repeat(256 - len(exact) - len(rest), axis=0)
    return np.concatenate([_unpacked(exact), rest, spare])


def _unpacked(codes: NDArray[np.uint32]) -> Pixels:
    """Convert numbers 0xRRGGBB (N,) to colours (N, 3)."""
    return (codes[:, None] // _PACKING % 256).astype(np.uint8)


def _nearest_entries(palette: Pixels) -> Pixels:
    """Return the index of the nearest palette entry of every colour, shape (256, 256, 256), RGB.

    Found on a grid of every fourth level; the palette's own colours are then put in exactly. (Pillow's own
    mapping stops at the grid: it painted white paper in the nearest grey of a photograph.)
    """
    levels = np.arange(64, dtype=np.float32) * 4 + 1.5
    entries = palette.astype(np.float32)
    green_blue = ((levels[:, None, None] - entries[:, 1]) ** 2) + ((levels[:, None] - entries[:, 2]) ** 2)
    planes = [(green_blue + (red - entries[:, 0]) ** 2).argmin(axis=-1) for red in levels]
    coarse = np.stack(planes).astype(np.uint8)
    nearest: Pixels = coarse.repeat(4, axis=0).repeat(4, axis=1).repeat(4, axis=2)
    for index in range(255, -1, -1):
        nearest[tuple(palette[index])] = index
    return nearest


def _indexed(frame: Pixels, palette: Pixels, nearest: Pixels, *, twin: bool) -> Image.Image:
    """Convert a frame to palette colours, without dithering, which doubles the file and makes soft tiles look noisy.

    Pillow drops a frame equal to the one before. So every other frame has the twin of the most frequent
    colour, the paper, in its last corner: not to be seen, but not equal either.
    """
    indices = nearest[frame[..., 0], frame[..., 1], frame[..., 2]]
    indices[-1, -1] = 255 if twin else 0
    image = Image.fromarray(indices, "P")
    image.putpalette(palette.tobytes())
    return image
