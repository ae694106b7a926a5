"""Image arrays, frames and histories to draw, and functions that read the drawn pictures."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from hpo.figures import animation
from hpo.figures.arrays import Floats, Pixels


def images(n: int, seed: int = 0) -> Pixels:
    """Make soft colour gradients, uint8 (n, 32, 32, 3), similar to images decoded by a VAE."""
    corners = np.random.default_rng(seed).integers(0, 256, (n, 2, 2, 3))
    ramp = np.linspace(0, 1, 32)
    weights = np.stack([1 - ramp, ramp], axis=1)
    blended: Pixels = np.einsum("hi,nijc,wj->nhwc", weights, corners, weights).astype(np.uint8)
    return blended


def grey(level: int, n: int = 1) -> Pixels:
    """Make grey images, uint8 (n, 32, 32, 3)."""
    return np.full((n, 32, 32, 3), level, np.uint8)


def noise(n: int, height: int = 40, width: int = 60) -> list[Pixels]:
    """Make n frames (height, width, 3) that no format compresses."""
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(n)]


def animation_frames(n_epochs: int = 4) -> list[Pixels]:
    """Draw the frames of an animation of reconstructions, from epoch 0."""
    return [
        animation.draw_reconstruction_frame(
            images(3), images(3, seed=epoch), epoch=epoch, n_epochs=n_epochs, val_bpd=7.0 - epoch / 10
        )
        for epoch in range(n_epochs + 1)
    ]


def run_history(val_bpd: list[float]) -> pd.DataFrame:
    """Make the history of a run of len(val_bpd) - 1 epochs; the first row is the untrained model."""
    epochs = np.arange(len(val_bpd), dtype=float)
    table = pd.DataFrame({"epoch": epochs, "val_bpd": val_bpd, "train_bpd": np.array(val_bpd) - 0.1})
    for split in ("train", "val"):
        table[f"{split}_rate_nats"] = 10.0 * epochs
        table[f"{split}_mse"] = 0.05 / (1 + epochs)
    table["learning_rate"] = 1e-3
    table.loc[0, ["train_bpd", "train_rate_nats", "train_mse", "learning_rate"]] = math.nan
    return table


def scattered(n: int, seed: int = 0) -> Floats:
    """Draw n points of a plane, (n, 2)."""
    return np.random.default_rng(seed).normal(size=(n, 2))


def read_picture(path: Path) -> Pixels:
    """Read a picture file as RGB (H, W, 3)."""
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def contains(picture: Pixels, part: Pixels) -> bool:
    """Return True if `part` is somewhere in `picture`, pixel for pixel."""
    height, width, _ = part.shape
    corners = np.argwhere((picture[: 1 - height, : 1 - width] == part[0, 0]).all(axis=-1))
    return any(np.array_equal(picture[y : y + height, x : x + width], part) for y, x in corners)
