"""Frames of a run's two animations, drawn while it trains: reconstructions, and prior draws."""

from pathlib import Path

import numpy as np
from PIL import Image

from hpo.config.schema import Interval
from hpo.figures.animation import draw_reconstruction_frame, draw_samples_frame, write_gif, write_mp4
from hpo.figures.arrays import Pixels
from hpo.figures.lazy_sequence import LazySequence
from hpo.figures.style import save_pixels
from hpo.storage.paths import RunPaths
from model.data.images import LabelledImages, as_rgb
from model.picture_inputs import N_IMAGES, fixed_images, prior_draws
from model.scoring.evaluation import decode, reconstruct
from model.training.train_state import TrainState

# Approximate number of frames if they are spaced logarithmically.
N_LOG_FRAMES = 40


class FrameRecorder:
    """Recorder of frames with the same images, prior draws and noise at every epoch: only the model changes."""

    def __init__(self, images: LabelledImages, epochs: frozenset[int], paths: RunPaths) -> None:
        self._images = fixed_images(images, N_IMAGES)
        self._epochs = epochs
        self._paths = paths

    def take(self, state: TrainState, epoch: int, val_bpd: float, *, is_pca: bool = False) -> None:
        """Draw and save both frames of this epoch if it is one of the chosen ones.

        Epoch 0 is the untrained model, or with `is_pca` the model that was just set to pPCA.
        """
        if epoch not in self._epochs:
            return
        n_epochs = state.config.epochs
        reconstructed = reconstruct(state.model, self._images, state.runtime)
        pairs = (as_rgb(self._images), as_rgb(reconstructed))
        frame = draw_reconstruction_frame(*pairs, epoch=epoch, n_epochs=n_epochs, val_bpd=val_bpd, is_pca=is_pca)
        save_pixels(frame, self._paths.frame(epoch, is_pca=is_pca))
        samples = as_rgb(decode(state.model, prior_draws(state.config.latent_dim), state.runtime))
        frame = draw_samples_frame(samples, epoch=epoch, n_epochs=n_epochs, val_bpd=val_bpd, is_pca=is_pca)
        save_pixels(frame, self._paths.samples_frame(epoch, is_pca=is_pca))


def frame_epochs(n_epochs: int, interval: Interval) -> frozenset[int]:
    """Return the epochs that get a frame: every `interval`-th, or spaced logarithmically; always the first and last."""
    if interval == "log":
        spaced = np.unique(np.geomspace(1, n_epochs, N_LOG_FRAMES).round().astype(int)).tolist()
    else:
        spaced = list(range(0, n_epochs, interval))
    return frozenset({0, n_epochs, *spaced})


def saved_frames(folder: Path) -> list[Path]:
    """Return the frames of a folder in the order of their epochs, not of their names: 1000 comes after 999.

    The frame of pPCA follows that of the untrained model.
    """
    return sorted(folder.glob("*_epoch_*.png"), key=_epoch_and_name)


def read_frame(path: Path) -> Pixels:
    """Read a frame as RGB, uint8 (H, W, 3)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _epoch_and_name(path: Path) -> tuple[int, str]:
    epoch = path.stem.partition("_epoch_")[2].partition("_")[0]
    return int(epoch), path.stem


def write_animations(paths: RunPaths, fps: float) -> list[str]:
    """Write GIF and MP4 of both animations from the saved frames; return a notice per GIF that leaves frames out."""
    animations = (
        (paths.frames, paths.animation_gif, paths.animation_mp4),
        (paths.samples_frames, paths.samples_gif, paths.samples_mp4),
    )
    return [notice for animation in animations if (notice := _write_animation(*animation, fps))]


def _write_animation(folder: Path, gif: Path, mp4: Path, fps: float) -> str | None:
    # Each frame is read when it is used: a thousand take 2.5 GB.
    frames = LazySequence(saved_frames(folder), read_frame)
    written = write_gif(frames, gif, fps=fps)
    write_mp4(frames, mp4, fps=fps)
    if (written.n_frames, written.shrink) == (written.n_given, 1):
        return None
    size = f" at 1/{written.shrink} of the width" if written.shrink > 1 else ""
    return f"{gif.name} holds {written.n_frames} of {written.n_given} frames{size}, to stay small; {mp4.name} has all."
