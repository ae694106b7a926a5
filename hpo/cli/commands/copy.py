"""Command `copy`: copy a study to where machines share it, or back."""

from typing import Annotated

import typer

from hpo.analysis.formatting import counted
from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.options import Config, Files, Storage
from hpo.config.call_arguments import location_of
from hpo.config.study_file import ConfigError
from hpo.user_commands import PROGRAM


@reports_errors("Stopped. Nothing was copied; run the same command again.")
def copy(
    config: Config,
    storage: Storage = None,
    files: Files = None,
    back: Annotated[bool, typer.Option("--back", help="Copy the shared study to results/ instead.")] = False,
) -> None:
    """Copy a study from results/ to the database and object store that machines share, or back.

    Trials, notes, pictures and checkpoints are copied: the search goes on there. The original stays as it is.
    """
    location = location_of(storage, files)
    study_config = config_of(config, location)
    if location is None:
        raise ConfigError("--storage and --files: must name where machines share studies")
    from hpo.storage.backend import backend_of
    from hpo.storage.cluster.copying import copy_to_machines, copy_to_this_machine
    from hpo.storage.open_study import find_study
    from hpo.storage.paths import StudyPaths

    source, study = find_study(study_config.name, config, location if back else None)
    target = StudyPaths.of(study.study_name, None if back else location)
    if back:
        n_trials = copy_to_this_machine(study, source, target)
    else:
        with backend_of(source).claims.tuning():
            n_trials = copy_to_machines(study, source, target)
    print_lines(f"{counted(n_trials, 'trial')} copied from {source.address} to {target.address}")
    options = "" if back else ", with --storage and --files"
    print_lines(f"Next: {PROGRAM} tune {config}{options}; images must be the same there")
