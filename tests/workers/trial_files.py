"""Files of trials: their names, where they are, and what they hold."""

from pathlib import Path

from PIL import Image

from hpo.storage.artifacts import artifact_files
from hpo.workers.trial_context import TrialContext

PICTURES = {"reconstructions.png", "samples.png", "reconstruction_progress.gif"}
TABLE_AND_CURVE = {"learning_curve.png", "metrics.csv"}


def files(context: TrialContext, number: int = 0) -> dict[str, Path]:
    """Return the artifacts of a trial by name."""
    return artifact_files(context.study.trials[number], context.study, context.paths)


def n_frames(gif: Path) -> int:
    """Return the number of frames of a GIF."""
    with Image.open(gif) as animation:
        return int(animation.n_frames)  # type: ignore[attr-defined]
