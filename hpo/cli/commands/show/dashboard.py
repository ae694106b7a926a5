"""Command `dashboard`: serve optuna-dashboard with a study, or with all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.options import Files, Storage
from hpo.config.call_arguments import Location, location_of
from hpo.config.study_file import ConfigError
from hpo.storage.paths import RESULTS
from hpo.user_commands import user_command

if TYPE_CHECKING:
    from hpo.dashboard.server import Server


@reports_errors("Stopped.")
def dashboard(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY]",
            help="Name of a study or path of its file; without one, all studies are shown and none can be changed.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on; 127.0.0.1 can be reached from this machine only, any other asks for a token."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port to listen on; another free port if it is taken.")
    ] = 8080,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show the study, and refuse every change.")] = False,
    storage: Storage = None,
    files: Files = None,
) -> None:
    """Browse a study, or all of them, in optuna-dashboard, also while they run."""
    location = location_of(storage, files)
    if config is None:
        listening = _listen_with_all(host, port, location)
    else:
        listening = _listen(config, host, port, location, read_only)
    with listening:
        listening.serve_forever()


def _listen(config: str, host: str, port: int, location: Location | None, read_only: bool) -> Server:
    study_config = config_of(config, location)
    from hpo.dashboard import server
    from hpo.storage.artifacts import missing_artifacts_notice
    from hpo.storage.open_study import find_study

    paths, study = find_study(study_config.name, config, location)
    listening = server.listen(paths, host, port, is_read_only=read_only)
    notices = [line for line in (missing_artifacts_notice(study, paths), server.notice(listening.access)) if line]
    print_lines(*notices, f"Dashboard of {paths.address}: {listening.address}  (Ctrl-C to stop)")
    return listening


def _listen_with_all(host: str, port: int, location: Location | None) -> Server:
    if location is not None:
        raise ConfigError("STUDY: must be given with --storage: all studies are those in results/ of this folder")
    from hpo.dashboard import server
    from hpo.storage.database import StudyError
    from hpo.storage.side_by_side.studies_in_results import StudiesInResults

    studies = StudiesInResults()
    names = [study.name for study in studies.refresh()]
    if not names:
        raise StudyError(f"{RESULTS}: there is no study yet; run {user_command('tune', 'quick')}")
    listening = server.listen_with_all(studies, host, port)
    left_out = f"Left out: {', '.join(studies.unreadable)} in {RESULTS}, no studies of these names that can be read"
    notices = [line for line in (studies.unreadable and left_out, server.notice(listening.access)) if line]
    print_lines(*notices, f"Dashboard of {', '.join(names)}: {listening.address}  (Ctrl-C to stop)")
    return listening
