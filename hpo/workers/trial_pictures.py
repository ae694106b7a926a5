"""What a trial learned, in pictures: kept small at every report while it trains, drawn when it ends.

N images, H W pixels.
"""

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hpo.figures.animation import reconstruction_frame, samples_frame, write_gif
from hpo.figures.gif import evenly_spaced
from hpo.figures.run.loss_curves import loss_curves
from hpo.figures.style import Pixels, save_pixels
from hpo.storage.paths import TrialPaths
from model.atomic_files import replacing
from model.config import TrainConfig
from model.data.images import LabelledImages
from model.fixed_inputs import N_IMAGES, as_pixels, fixed_images, prior_draws
from model.scoring.evaluation import decode, reconstruct
from model.training.training_loop import TrainState

# Five by four tiles: what fills the dashboard's cards, which are four by three.
_COLUMNS, _SCALE = 5, 4
_MAX_FRAMES, _FPS = 16, 2.0


@dataclass(frozen=True, eq=False)
class TrialFrame:
    """What a model made of the images, and of the prior draws, each (N, H, W, 3); `report` 0 is the untrained model."""

    report: int
    reconstructed: Pixels
    samples: Pixels


class TrialFrameRecorder:
    """The same images, prior draws and noise for every trial and report: what differs are the weights."""

    def __init__(self, validation: LabelledImages, paths: TrialPaths) -> None:
        self._images = fixed_images(validation, N_IMAGES)
        self._paths = paths
        self.originals = as_pixels(self._images)

    def start(self, state: TrainState) -> None:
        """Begin anew, with the untrained model."""
        shutil.rmtree(self._paths.folder, ignore_errors=True)
        self.record(state, 0)

    def record(self, state: TrainState, report: int) -> None:
        """Keep what the model makes of images and draws. Training goes on as if nobody had looked."""
        reconstructed = as_pixels(reconstruct(state.model, self._images, state.runtime))
        samples = as_pixels(decode(state.model, prior_draws(state.config.latent_dim), state.runtime))
        # By way of memory: writing to a file, NumPy tells of a full disk without its error number.
        buffer = io.BytesIO()
        np.save(buffer, np.concatenate([reconstructed, samples]))
        with replacing(self._paths.frame(report)) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def shots(self, n_reports: int) -> list[TrialFrame]:
        """Those kept up to a report; later ones are of a course that was given up."""
        there = [report for report in range(n_reports + 1) if self._paths.frame(report).exists()]
        n_images = len(self.originals)
        pixels = {report: np.load(self._paths.frame(report)) for report in there}
        return [TrialFrame(report, one[:n_images], one[n_images:]) for report, one in pixels.items()]


def draw(
    paths: TrialPaths, film: TrialFrameRecorder, config: TrainConfig, n_reports: int, history: list[dict[str, float]]
) -> list[Path]:
    """Draw a trial that made `n_reports` reports; return the files there are now.

    `history` has a row for each report, or none where nothing is known of them.
    """
    shots = film.shots(n_reports)
    return [*_draw_shots(paths, film.originals, shots, config, history), *_write_history(paths, history)]


def _draw_shots(
    paths: TrialPaths, originals: Pixels, shots: list[TrialFrame], config: TrainConfig, history: list[dict[str, float]]
) -> list[Path]:
    if not shots:
        return []
    chosen = [shots[index] for index in evenly_spaced(len(shots), min(len(shots), _MAX_FRAMES))]
    frames = [_reconstruction_frame(originals, shot, config, history) for shot in chosen]
    save_pixels(frames[-1], paths.reconstructions)
    write_gif(frames, paths.animation_gif, fps=_FPS)
    save_pixels(_samples_frame(shots[-1], config, history), paths.samples)
    return [paths.reconstructions, paths.animation_gif, paths.samples]


def _reconstruction_frame(
    originals: Pixels, shot: TrialFrame, config: TrainConfig, history: list[dict[str, float]]
) -> Pixels:
    return reconstruction_frame(
        originals,
        shot.reconstructed,
        epoch=config.epoch_at(shot.report),
        n_epochs=config.epochs,
        val_bpd=_score(shot, history),
        columns=_COLUMNS,
        scale=_SCALE,
    )


def _samples_frame(shot: TrialFrame, config: TrainConfig, history: list[dict[str, float]]) -> Pixels:
    return samples_frame(
        shot.samples,
        epoch=config.epoch_at(shot.report),
        n_epochs=config.epochs,
        val_bpd=_score(shot, history),
        columns=_COLUMNS,
        scale=_SCALE,
    )


def _score(shot: TrialFrame, history: list[dict[str, float]]) -> float | None:
    return history[shot.report - 1]["val_bpd"] if 0 < shot.report <= len(history) else None


def _write_history(paths: TrialPaths, history: list[dict[str, float]]) -> list[Path]:
    if not history:
        return []
    table = pd.DataFrame(history)
    loss_curves(table, paths.learning_curve)
    with replacing(paths.metrics_csv) as temporary:
        table.to_csv(temporary, index=False)
    return [paths.learning_curve, paths.metrics_csv]
