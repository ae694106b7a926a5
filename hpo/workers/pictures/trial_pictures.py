"""Pictures of a trial, drawn from its frames when it ends."""

from pathlib import Path

import pandas as pd

from hpo.figures.animation import draw_reconstruction_frame, draw_samples_frame, write_gif
from hpo.figures.arrays import Pixels
from hpo.figures.gif import evenly_spaced
from hpo.figures.run.loss_curves import draw_loss_curves
from hpo.figures.style import save_pixels
from hpo.storage.paths import TrialPaths
from hpo.workers.pictures.trial_frames import TrialFrame, TrialFrameRecorder
from model.atomic_files import replacing
from model.config import TrainConfig

# Five by four tiles fill the dashboard's cards, whose sides are four to three.
_COLUMNS, _SCALE = 5, 4
_MAX_FRAMES, _FPS = 16, 2.0


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
