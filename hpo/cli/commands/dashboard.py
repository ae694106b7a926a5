"""Commands that show a study, and what it holds that can go."""

from typing import Annotated

import typer

from hpo.cli.console import say
from hpo.cli.exit_codes import reports_errors
from hpo.cli.options import Config
from hpo.config.study_file import find_config, read_config


@reports_errors("Stopped.")
def dashboard(
    config: Config,
    host: Annotated[str, typer.Option(help="Address to listen on; only this machine reaches 127.0.0.1.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port; a free one where it is taken.")] = 8080,
) -> None:
    """Browse the study in optuna-dashboard, also while it is running."""
    study_config = read_config(find_config(config))
    from hpo.dashboard import server as server
    from hpo.storage.artifacts import lost
    from hpo.storage.database import find_study

    paths, study = find_study(study_config.name, config)
    listening = server.listen(paths, host, port)
    notices = [line for line in (lost(study, paths), server.warning(host)) if line]
    say(*notices, f"Dashboard of {paths.folder}: http://{host}:{listening.server_port}  (Ctrl-C to stop)")
    with listening:
        listening.serve_forever()
