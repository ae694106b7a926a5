"""The frames of a run's animation, drawn while it trains."""

import numpy as np
import torch
from torch import Tensor

from hpo.figures.animation import reconstruction_frame, write_gif, write_mp4
from hpo.figures.style import Pixels, save_pixels
from hpo.paths import RunPaths
from model.data import LabelledImages
from model.evaluate import reconstruct
from model.train import TrainState

FPS = 2.0
N_IMAGES = 10


class Film:
    """The same images and the same noise at every epoch: what changes from frame to frame is the model."""

    def __init__(self, images: LabelledImages, paths: RunPaths) -> None:
        self._images = spread(images, N_IMAGES)
        self._paths = paths
        self._frames: list[Pixels] = []

    def take(self, state: TrainState, epoch: int, val_bpd: float) -> None:
        """Draw and save the frame of this epoch; 0 is the untrained model."""
        reconstructed = reconstruct(state.model, self._images, state.runtime)
        frame = reconstruction_frame(
            as_pixels(self._images),
            as_pixels(reconstructed),
            epoch=epoch,
            n_epochs=state.config.epochs,
            val_bpd=val_bpd,
        )
        save_pixels(frame, self._paths.frame(epoch))
        self._frames.append(frame)

    def write(self) -> str | None:
        """Write GIF and MP4; return a word where frames were left out of the GIF."""
        written = write_gif(self._frames, self._paths.animation_gif, fps=FPS)
        write_mp4(self._frames, self._paths.animation_mp4, fps=FPS)
        if (written.n_frames, written.shrink) == (written.n_given, 1):
            return None
        size = f" at 1/{written.shrink} of the width" if written.shrink > 1 else ""
        return f"The GIF holds {written.n_frames} of {written.n_given} frames{size}, to stay small; the MP4 has all."


def spread(images: LabelledImages, n_images: int) -> Tensor:
    """A fixed choice of images, evenly over the classes: uint8 (N, 3, 32, 32)."""
    return images.images[spread_positions(images, n_images).to(images.images.device)]


def spread_positions(images: LabelledImages, n_images: int) -> Tensor:
    """Where those images lie in the split, class by class: int64 (N,)."""
    by_class = images.labels.argsort(stable=True)
    return by_class[((torch.arange(n_images) + 0.5) * len(images) / n_images).long()]


def as_pixels(images: Tensor) -> Pixels:
    """uint8 (N, 3, H, W) on any device as an array (N, H, W, 3)."""
    return np.ascontiguousarray(images.cpu().permute(0, 2, 3, 1).numpy())
