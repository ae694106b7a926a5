"""Command `clean`: delete files that a study no longer needs."""

from typing import Annotated

import typer

from hpo.analysis.formatting import format_megabytes
from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.options import Config, Files, Storage
from hpo.config.call_arguments import N_BEST_KEPT, location_of
from hpo.user_commands import PROGRAM


@reports_errors("Stopped. Only files that are no longer needed were deleted; run the same command to delete the rest.")
def clean(
    config: Config,
    keep: Annotated[int, typer.Option(min=0, help="Number of best trials whose checkpoints are kept.")] = N_BEST_KEPT,
    storage: Storage = None,
    files: Files = None,
) -> None:
    """Delete checkpoints that are no longer needed.

    Results are kept, and so are the checkpoints of trials that can be resumed.
    """
    location = location_of(storage, files)
    study_config = config_of(config, location)
    from hpo.storage import artifacts
    from hpo.storage.backend import backend_of
    from hpo.storage.open_study import find_study

    paths, study = find_study(study_config.name, config, location)
    backend = backend_of(paths)
    with backend.claims.tuning():
        n_bytes = backend.files.clean(study, keep, study_config.pruner)
        n_bytes += artifacts.remove_unreferenced_files(study, paths)
    print_lines(f"{paths.address}: {format_megabytes(n_bytes)} freed", f"Next: {PROGRAM} status {config}")
