"""Pictures of a trial: frames are recorded at every report while it trains, and drawn when it ends.

N images, H W pixels.
"""

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hpo.figures.animation import draw_reconstruction_frame, draw_samples_frame, write_gif
from hpo.figures.arrays import Pixels
from hpo.figures.gif import evenly_spaced
from hpo.figures.run.loss_curves import draw_loss_curves
from hpo.figures.style import save_pixels
from hpo.storage.paths import TrialPaths
from model.atomic_files import replacing
from model.config import TrainConfig
from model.data.images import LabelledImages, as_pixels
from model.picture_inputs import N_IMAGES, fixed_images, prior_draws
from model.scoring.evaluation import decode, reconstruct
from model.training.train_state import TrainState

# Five by four tiles fill the dashboard's cards, whose sides are four to three.
_COLUMNS, _SCALE = 5, 4
_MAX_FRAMES, _FPS = 16, 2.0


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
        self.originals = as_pixels(self._images)

    def start(self, state: TrainState) -> None:
        """Remove earlier frames and record the untrained model."""
        shutil.rmtree(self._paths.folder, ignore_errors=True)
        self.record(state, 0)

    def record(self, state: TrainState, report: int) -> None:
        """Record the model's reconstructions and samples. Training continues exactly as without this call."""
        reconstructed = as_pixels(reconstruct(state.model, self._images, state.runtime))
        samples = as_pixels(decode(state.model, prior_draws(state.config.latent_dim), state.runtime))
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


def draw_trial(
    paths: TrialPaths,
    recorder: TrialFrameRecorder,
    config: TrainConfig,
    n_reports: int,
    history: list[dict[str, float]],
) -> list[Path]:
    """Draw the pictures of a trial that made `n_reports` reports.

    `history` has one row for each report, or none if the trial ended before its history was read.

    Returns: the files written.
    """
    frames = recorder.frames(n_reports)
    return [*_draw_frames(paths, recorder.originals, frames, config, history), *_write_history(paths, history)]


def _draw_frames(
    paths: TrialPaths, originals: Pixels, frames: list[TrialFrame], config: TrainConfig, history: list[dict[str, float]]
) -> list[Path]:
    if not frames:
        return []
    selected = [frames[index] for index in evenly_spaced(len(frames), min(len(frames), _MAX_FRAMES))]
    sheets = [_reconstruction_sheet(originals, frame, config, history) for frame in selected]
    save_pixels(sheets[-1], paths.reconstructions)
    write_gif(sheets, paths.animation_gif, fps=_FPS)
    save_pixels(_samples_sheet(frames[-1], config, history), paths.samples)
    return [paths.reconstructions, paths.animation_gif, paths.samples]


def _reconstruction_sheet(
    originals: Pixels, frame: TrialFrame, config: TrainConfig, history: list[dict[str, float]]
) -> Pixels:
    return draw_reconstruction_frame(
        originals,
        frame.reconstructed,
        epoch=config.epoch_at(frame.report),
        n_epochs=config.epochs,
        val_bpd=_score(frame, history),
        columns=_COLUMNS,
        scale=_SCALE,
    )


def _samples_sheet(frame: TrialFrame, config: TrainConfig, history: list[dict[str, float]]) -> Pixels:
    return draw_samples_frame(
        frame.samples,
        epoch=config.epoch_at(frame.report),
        n_epochs=config.epochs,
        val_bpd=_score(frame, history),
        columns=_COLUMNS,
        scale=_SCALE,
    )


def _score(frame: TrialFrame, history: list[dict[str, float]]) -> float | None:
    return history[frame.report - 1]["val_bpd"] if 0 < frame.report <= len(history) else None


def _write_history(paths: TrialPaths, history: list[dict[str, float]]) -> list[Path]:
    if not history:
        return []
    table = pd.DataFrame(history)
    draw_loss_curves(table, paths.learning_curve)
    with replacing(paths.metrics_csv) as temporary:
        table.to_csv(temporary, index=False)
    return [paths.learning_curve, paths.metrics_csv]
