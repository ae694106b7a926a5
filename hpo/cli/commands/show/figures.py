"""Command `figures`: draw a finished run again."""

from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.options import RunDevice
from hpo.config.sections import FASTEST_FPS, SLOWEST_FPS
from hpo.config.study_file import ConfigError
from hpo.storage.paths import RunPaths
from hpo.storage.paths.user_folder import expanded


@reports_errors("Stopped. Every file that was written is complete; run the same command to draw the rest.")
def figures(
    run: Annotated[
        Path, typer.Argument(help="Folder of a finished run, for example results/cifar10/best.", show_default=False)
    ],
    fps: Annotated[
        float | None,
        typer.Option(help="Frames per second of the animation; the run's own if left out.", show_default=False),
    ] = None,
    device: RunDevice = "auto",
) -> None:
    """Draw a finished run again from its files.

    The pictures, the animation and the page are replaced; nothing is trained.
    """
    if fps is not None and not SLOWEST_FPS <= fps <= FASTEST_FPS:
        raise ConfigError(f"--fps: must be from {SLOWEST_FPS:g} to {FASTEST_FPS:g}, got {fps}")
    from hpo.cli.run_summary import print_drawn
    from hpo.runs.drawing_steps import DrawingFailed, DrawingStarted
    from hpo.runs.redraw import redraw

    run = expanded(run)
    failures = []
    for event in redraw(run, fps, device):
        if isinstance(event, DrawingFailed):
            failures.append(event.message)
        else:
            print_lines(f"drawing {event.name}" if isinstance(event, DrawingStarted) else event)
    print_drawn(RunPaths(run), failures)
