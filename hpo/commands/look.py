"""Commands that show a study, and what it holds that can go."""

from typing import Annotated

import typer

from hpo.checkpoints import N_KEPT
from hpo.commands.arguments import Config
from hpo.config_file import find_config, read_config
from hpo.terminal import say, tidy


@tidy("Stopped.")
def status(config: Config) -> None:
    """Tell how a study stands: trials, best so far, workers alive, disk used, and whether anything needs attention.

    Changes nothing, and may be asked at any time, also while the study is running.
    """
    study_config = read_config(find_config(config))
    from hpo.database import find_study
    from hpo.status import described, status_of

    paths, study = find_study(study_config.name, config)
    say(*described(status_of(study, study_config, paths), study_config, config))


@tidy("Stopped. What was removed was of no more use; the same command removes the rest.")
def clean(
    config: Config,
    keep: Annotated[int, typer.Option(min=0, help="Checkpoints of so many of the best trials stay.")] = N_KEPT,
) -> None:
    """Remove checkpoints that are no longer needed; never a result, nor what an interrupted trial goes on from."""
    study_config = read_config(find_config(config))
    from hpo import checkpoints
    from hpo.database import find_study
    from hpo.lock import held

    paths, study = find_study(study_config.name, config)
    with held(paths.lock, str(paths.folder)):
        n_bytes = checkpoints.clean(study, paths, keep)
    say(f"{paths.checkpoints}: {n_bytes / 1e6:.1f} MB freed", f"Next: python -m hpo status {config}")


@tidy("Stopped.")
def dashboard(
    config: Config,
    host: Annotated[str, typer.Option(help="Address to listen on; only this machine reaches 127.0.0.1.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port; a free one where it is taken.")] = 8080,
) -> None:
    """Browse the study in optuna-dashboard, also while it is running."""
    study_config = read_config(find_config(config))
    from hpo import dashboard as server
    from hpo.database import find_study

    paths, _ = find_study(study_config.name, config)
    free = server.find_port(host, port)
    warning = server.warning(host)
    say(*([warning] if warning else []), f"Dashboard of {paths.folder}: http://{host}:{free}  (Ctrl-C to stop)")
    server.serve(paths, host, free)
