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
    from hpo.artifacts import lost
    from hpo.study import existing_study, find_study

    paths = find_study(study_config.name, config)
    study = existing_study(paths.folder.name, paths)
    assert study is not None, "it was found"
    listening = server.listen(paths, host, port)
    notices = [line for line in (lost(study, paths), server.warning(host)) if line]
    say(*notices, f"Dashboard of {paths.folder}: http://{host}:{listening.server_port}  (Ctrl-C to stop)")
    with listening:
        listening.serve_forever()
