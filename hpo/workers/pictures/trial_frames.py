"""Frames of a trial: what the model makes of a few images at every report, recorded while it trains.

N images, H W pixels.
"""

import io
import shutil
from dataclasses import dataclass

import numpy as np

from hpo.figures.arrays import Pixels
from hpo.storage.paths import TrialPaths
from model.atomic_files import replacing
from model.data.images import LabelledImages, as_rgb
from model.picture_inputs import N_IMAGES, fixed_images, prior_draws
from model.scoring.evaluation import decode, reconstruct
from model.training.train_state import TrainState


@dataclass(frozen=True, eq=False)
class TrialFrame:
    """Reconstructions and samples of a model at a report, each (N, H, W, 3); report 0 is the untrained model."""

    report: int
    reconstructed: Pixels
    samples: Pixels


class TrialFrameRecorder:
    """Recorder of a trial's frames.

    Images, prior draws and noise are the same for every trial and report: frames differ by the weights alone.
    """

    def __init__(self, validation: LabelledImages, paths: TrialPaths) -> None:
        self._images = fixed_images(validation, N_IMAGES)
        self._paths = paths
        self.originals = as_rgb(self._images)

    def start(self, state: TrainState) -> None:
        """Remove earlier frames and record the untrained model."""
        shutil.rmtree(self._paths.folder, ignore_errors=True)
        self.record(state, 0)

    def record(self, state: TrainState, report: int) -> None:
        """Record the model's reconstructions and samples. Training continues exactly as without this call."""
        reconstructed = as_rgb(reconstruct(state.model, self._images, state.runtime))
        samples = as_rgb(decode(state.model, prior_draws(state.config.latent_dim), state.runtime))
        # Through a buffer: when NumPy writes to a full disk itself, its error has no error number.
        buffer = io.BytesIO()
        np.save(buffer, np.concatenate([reconstructed, samples]))
        with replacing(self._paths.frame(report)) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def frames(self, n_reports: int) -> list[TrialFrame]:
        """Load the frames up to a report; later ones belong to a training that was restarted from an earlier report."""
        reports = [report for report in range(n_reports + 1) if self._paths.frame(report).exists()]
        n_images = len(self.originals)
        pixels = {report: np.load(self._paths.frame(report)) for report in reports}
        return [TrialFrame(report, frame[:n_images], frame[n_images:]) for report, frame in pixels.items()]
