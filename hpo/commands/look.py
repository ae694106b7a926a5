"""Commands that show a study."""

from typing import Annotated

import typer

from hpo.commands.arguments import Config
from hpo.config_file import find_config, read_config
from hpo.terminal import say, tidy


@tidy("Stopped.")
def dashboard(
    config: Config,
    host: Annotated[str, typer.Option(help="Address to listen on; only this machine reaches 127.0.0.1.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port; a free one where it is taken.")] = 8080,
) -> None:
    """Browse the study in optuna-dashboard, also while it is running."""
    study_config = read_config(find_config(config))
    from hpo import dashboard as server
    from hpo.study import find_study

    paths = find_study(study_config.name, config)
    free = server.find_port(host, port)
    warning = server.warning(host)
    say(*([warning] if warning else []), f"Dashboard of {paths.folder}: http://{host}:{free}  (Ctrl-C to stop)")
    server.serve(paths, host, free)
