"""Commands that show a study, and what it holds that can go."""

from typing import Annotated

import typer

from hpo.cli.console import say
from hpo.cli.exit_codes import reports_errors
from hpo.cli.options import Config
from hpo.config.study_file import find_config, read_config
from hpo.storage.checkpoints import N_KEPT


@reports_errors("Stopped. What was removed was of no more use; the same command removes the rest.")
def clean(
    config: Config,
    keep: Annotated[int, typer.Option(min=0, help="Checkpoints of so many of the best trials stay.")] = N_KEPT,
) -> None:
    """Remove checkpoints that are no longer needed; never a result, nor what an interrupted trial goes on from."""
    study_config = read_config(find_config(config))
    from hpo.storage import artifacts, checkpoints
    from hpo.storage.database import find_study
    from hpo.storage.file_locks import hold_lock

    paths, study = find_study(study_config.name, config)
    with hold_lock(paths.lock, str(paths.folder)):
        n_bytes = checkpoints.clean(study, paths, keep, study_config.pruner) + artifacts.remove_strays(study, paths)
    say(f"{paths.folder}: {n_bytes / 1e6:.1f} MB freed", f"Next: python -m hpo status {config}")
