"""Redrawing a finished run from its saved model, metrics and frames, without training."""

from pathlib import Path

import pandas as pd

from hpo.config.dataset_with_fallback import load_images
from hpo.config.schema import Data
from hpo.report.run_page import write_page
from hpo.runs.animation_frames import write_animations
from hpo.runs.run_figures import draw_run_figures
from hpo.storage.file_locks import hold_lock
from hpo.storage.paths import RunPaths
from hpo.storage.run_record import RunError, RunRecord, read_record, write_record
from model.data.images import ImageData
from model.device import resolve
from model.training.model_file import read_model


def redraw(folder: Path, fps: float | None, device: str) -> list[str]:
    """Write pictures, animations and page of the run in `folder` again.

    Args:
        folder: a finished run.
        fps: frame rate of the animations; None keeps the run's own.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Returns: notices for the user.

    Raises: RunError: the folder holds no finished run, or its images are not available.
    """
    paths = RunPaths(folder)
    record = read_record(paths.config)
    if not paths.metrics_csv.exists():
        raise RunError(f"{folder}: holds no finished run (there is no {paths.metrics_csv.name} in it)")
    runtime = resolve(device, record.precision)
    model = read_model(paths.model).network
    data = _load_images(record, paths)
    with hold_lock(paths.lock, str(folder)):
        draw_run_figures(
            model.to(runtime.device), data.to(runtime.device), runtime, paths, pd.read_csv(paths.metrics_csv)
        )
        notices = [*([data.reading] if data.reading else []), *_write_animations(paths, record, fps)]
        write_page(paths)
    return notices


def _load_images(record: RunRecord, paths: RunPaths) -> ImageData:
    data, _ = load_images(Data(source=record.data.source, root=record.data.root, fallback=False))
    if data.digest != record.data.digest:
        raise RunError(f"{paths.config}: was trained on other images than those found now ({data.source})")
    return data


def _write_animations(paths: RunPaths, record: RunRecord, fps: float | None) -> list[str]:
    if not any(paths.frames.glob("*.png")):
        return [f"{paths.frames}: no frames are saved here; the animations are not changed"]
    updated = record.model_copy(update={"fps": fps or record.fps})
    write_record(paths.config, updated)
    return write_animations(paths, updated.fps)
