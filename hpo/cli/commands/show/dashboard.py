"""Command `dashboard`: serve optuna-dashboard with a study."""

from typing import Annotated

import typer

from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.options import Config, Files, Storage
from hpo.config.call_arguments import location_of


@reports_errors("Stopped.")
def dashboard(
    config: Config,
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
    """Browse a study in optuna-dashboard, also while it runs."""
    location = location_of(storage, files)
    study_config = config_of(config, location)
    from hpo.dashboard import server
    from hpo.storage.artifacts import missing_artifacts_notice
    from hpo.storage.open_study import find_study

    paths, study = find_study(study_config.name, config, location)
    listening = server.listen(paths, host, port, is_read_only=read_only)
    notices = [line for line in (missing_artifacts_notice(study, paths), server.notice(listening.access)) if line]
    print_lines(*notices, f"Dashboard of {paths.address}: {listening.address}  (Ctrl-C to stop)")
    with listening:
        listening.serve_forever()
