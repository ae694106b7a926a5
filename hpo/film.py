"""The frames of a run's two animations, drawn while it trains: reconstructions, and draws of the prior."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hpo.config import Interval
from hpo.figures.animation import reconstruction_frame, samples_frame, write_gif, write_mp4
from hpo.figures.style import Pixels, save_pixels
from hpo.paths import RunPaths
from model.data import LabelledImages
from model.evaluate import decode, reconstruct
from model.runtime import seeded_generator
from model.train import TrainState

N_IMAGES, N_SAMPLES = 10, 20
# Frames of a run whose frames are spaced logarithmically, about.
N_LOG_FRAMES = 40
_SAMPLES_SEED = 4


class Film:
    """The same images, prior draws and noise at every epoch: what changes from frame to frame is the model."""

    def __init__(self, images: LabelledImages, epochs: frozenset[int], paths: RunPaths) -> None:
        self._images = spread(images, N_IMAGES)
        self._epochs = epochs
        self._paths = paths

    def take(self, state: TrainState, epoch: int, val_bpd: float) -> None:
        """Draw and save both frames of this epoch, where it is one of those chosen; 0 is the untrained model."""
        if epoch not in self._epochs:
            return
        n_epochs = state.config.epochs
        reconstructed = reconstruct(state.model, self._images, state.runtime)
        pairs = (as_pixels(self._images), as_pixels(reconstructed))
        frame = reconstruction_frame(*pairs, epoch=epoch, n_epochs=n_epochs, val_bpd=val_bpd)
        save_pixels(frame, self._paths.frame(epoch))
        samples = as_pixels(decode(state.model, prior_draws(state.config.latent_dim), state.runtime))
        frame = samples_frame(samples, epoch=epoch, n_epochs=n_epochs, val_bpd=val_bpd)
        save_pixels(frame, self._paths.samples_frame(epoch))


def prior_draws(latent_dim: int) -> Tensor:
    """The same draws of the prior for every model of this size: (N_SAMPLES, Z)."""
    return torch.randn(N_SAMPLES, latent_dim, generator=seeded_generator(_SAMPLES_SEED))


def frame_epochs(n_epochs: int, interval: Interval) -> frozenset[int]:
    """Epochs that get a frame: every `interval`-th, or spaced logarithmically; the first and last always."""
    if interval == "log":
        spaced = np.unique(np.geomspace(1, n_epochs, N_LOG_FRAMES).round().astype(int)).tolist()
    else:
        spaced = list(range(0, n_epochs, interval))
    return frozenset({0, n_epochs, *spaced})


def write_films(paths: RunPaths, fps: float) -> list[str]:
    """Write GIF and MP4 of both animations from the frames saved; return a word where a GIF left frames out."""
    films = (
        (paths.frames, paths.animation_gif, paths.animation_mp4),
        (paths.samples_frames, paths.samples_gif, paths.samples_mp4),
    )
    return [notice for film in films if (notice := _write_film(*film, fps))]


def _write_film(folder: Path, gif: Path, mp4: Path, fps: float) -> str | None:
    frames = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]
    written = write_gif(frames, gif, fps=fps)
    write_mp4(frames, mp4, fps=fps)
    if (written.n_frames, written.shrink) == (written.n_given, 1):
        return None
    size = f" at 1/{written.shrink} of the width" if written.shrink > 1 else ""
    return f"{gif.name} holds {written.n_frames} of {written.n_given} frames{size}, to stay small; {mp4.name} has all."


def spread(images: LabelledImages, n_images: int) -> Tensor:
    """A fixed choice of images, evenly over the classes: uint8 (N, 3, 32, 32)."""
    return images.images[spread_positions(images, n_images).to(images.images.device)]


def spread_positions(images: LabelledImages, n_images: int) -> Tensor:
    """Where those images lie in the split, class by class: int64 (N,), at most one for each image there is."""
    n_images = min(n_images, len(images))
    by_class = images.labels.argsort(stable=True)
    return by_class[((torch.arange(n_images) + 0.5) * len(images) / n_images).long()]


def as_pixels(images: Tensor) -> Pixels:
    """uint8 (N, 3, H, W) on any device as an array (N, H, W, 3)."""
    return np.ascontiguousarray(images.cpu().permute(0, 2, 3, 1).numpy())
