"""Command `work`: join a study that machines share."""

from typing import Annotated

import typer

from hpo.cli.console import print_lines
from hpo.cli.exit_codes import INTERRUPTED, reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.follow_trials import follow_trials
from hpo.cli.options import Config, Device, Files, Storage
from hpo.config.call_arguments import MAX_WORKERS, location_of
from hpo.config.study_file import ConfigError
from hpo.user_commands import PROGRAM


@reports_errors("Stopped. Every report is kept; the trials of this machine go on elsewhere, or with the same command.")
def work(
    config: Config,
    timeout: Annotated[
        float | None, typer.Option(help="Duration of this call, in minutes.", show_default=False)
    ] = None,
    device: Device = None,
    workers: Annotated[
        int, typer.Option(min=1, max=MAX_WORKERS, help="Worker processes, which share this machine's cores.")
    ] = 1,
    storage: Storage = None,
    files: Files = None,
) -> None:
    """Run trials of a study that `tune --storage --files` has created on another machine, until none is left.

    Images come from the other machine. Ctrl-C and SIGTERM stop after the current epoch; others take the trials over.
    """
    location = location_of(storage, files)
    study_config = config_of(config, location)
    if location is None:
        raise ConfigError("--storage and --files: must name the study's database and files, as for tune")
    from hpo import open_tuning_session

    with open_tuning_session(
        study_config,
        config_name=config,
        timeout_minutes=timeout,
        workers=workers,
        device=device,
        location=location,
        joins=True,
        on_notice=print_lines,
    ) as session:
        interrupted = follow_trials(session, shows_results=False)
        print_lines(f"Next: {PROGRAM} status {config}, with the same --storage and --files")
    if interrupted:
        raise typer.Exit(INTERRUPTED)
