"""Commands on one run of its own."""

from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.console import say
from hpo.cli.exit_codes import reports_errors
from hpo.config.study_file import ConfigError
from hpo.storage.paths import RunPaths


@reports_errors("Stopped. What was drawn is whole; the same command draws the rest.")
def figures(
    run: Annotated[
        Path, typer.Argument(help="The folder of a finished run: results/cifar10/best, say.", show_default=False)
    ],
    fps: Annotated[
        float | None, typer.Option(help="Frames a second; the run's own if left out.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Draw a finished run's pictures, animations and page again from its saved files, without training."""
    if fps is not None and not 0 < fps <= 60:
        raise ConfigError(f"--fps: must be > 0 and <= 60, got {fps}")
    from hpo.runs.redraw import redraw

    say(*redraw(run, fps, device))
    say(f"Next: open {RunPaths(run).page}")
