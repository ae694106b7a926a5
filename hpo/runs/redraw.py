"""Redrawing a finished run from its saved model, metrics and frames, without training."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from hpo.config.dataset_with_fallback import load_images
from hpo.config.image_source import FOLDER
from hpo.config.schema import Data
from hpo.report.run_page import write_page
from hpo.runs.animation_frames import write_animations
from hpo.runs.code_sliders import write_code_sliders
from hpo.runs.drawing_steps import DrawingFailed, DrawingStarted, draw_each
from hpo.runs.run_figures import run_drawings
from hpo.storage.local.file_locks import hold_lock
from hpo.storage.paths import RunPaths
from hpo.storage.run_record import RunError, RunRecord, read_record, write_record
from model.data.images import ImageData
from model.device import resolve
from model.training.model_file import read_model


def redraw(folder: Path, fps: float | None, device: str) -> Iterator[DrawingStarted | DrawingFailed | str]:
    """Write pictures, animations and page of the run in `folder` again, step by step; notices are text.

    Args:
        folder: a finished run.
        fps: frame rate of the animations; None keeps the run's own.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises: RunError: the folder holds no finished run, or its images are not available.
    """
    paths = RunPaths(folder)
    record = read_record(paths.config)
    if not paths.metrics_csv.exists():
        raise RunError(f"{folder}: holds no finished run (there is no {paths.metrics_csv.name} in it)")
    runtime = resolve(device, record.precision)
    model = read_model(paths.model).network.to(runtime.device)
    data = _load_images(record, paths)
    with hold_lock(paths.lock, str(folder)):
        notices = [data.reading] if data.reading else []
        history = pd.read_csv(paths.metrics_csv)
        on_device = data.to(runtime.device)
        steps = run_drawings(model, on_device, runtime, paths, history) | {
            "sliders": lambda: write_code_sliders(model, on_device, runtime, paths),
            "animations": lambda: notices.extend(_write_animations(paths, record, fps)),
            "page": lambda: write_page(paths),
        }
        yield from draw_each(steps, paths.errors)
    yield from notices


def _load_images(record: RunRecord, paths: RunPaths) -> ImageData:
    named = Data(source=record.data.source, root=record.data.root, fallback=False)
    if named.source == FOLDER:
        n_channels, size, _ = record.training.image_shape
        named = named.model_copy(update={"image_size": size, "image_channels": n_channels})
    data, _ = load_images(named)
    if data.digest != record.data.digest:
        raise RunError(f"{paths.config}: was trained on other images than those found now ({data.source})")
    return data


def _write_animations(paths: RunPaths, record: RunRecord, fps: float | None) -> list[str]:
    if not any(paths.frames.glob("*.png")):
        return [f"{paths.frames}: no frames are saved here; the animations are not changed"]
    updated = record.model_copy(update={"fps": fps or record.fps})
    write_record(paths.config, updated)
    return write_animations(paths, updated.fps)
