"""Command `export`: write a study's tables."""

from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.json_lines.events import Exported
from hpo.cli.json_lines.output import emit
from hpo.cli.options import AsJson, Config, Files, Storage
from hpo.config.call_arguments import location_of
from hpo.storage.paths.user_folder import check_is_no_file, expanded


@reports_errors("Stopped. Every file that was written is complete.")
def export(
    study: Config,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the tables; results/<study>/export if left out.", show_default=False)
    ] = None,
    storage: Storage = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Write a study's trials and epochs as CSV and Parquet.

    One table has a row for each trial, the other a row for each epoch of each trial.
    """
    location = location_of(storage, files)
    # A fault in the file is reported before the imports, which take seconds.
    config_of(study, location)
    if output:
        output = expanded(output)
        check_is_no_file("--output", output)
    from hpo import open_study
    from hpo.report.export import write_tables
    from hpo.storage.paths import ExportPaths

    opened = open_study(study, location)
    target = ExportPaths(output) if output else opened.paths.export
    n_trials, n_reports = write_tables(opened, target)
    print_lines(f"{n_trials} trials and {n_reports} of their reports, each as CSV and Parquet, in {target.folder}")
    emit(Exported(target.folder, target.all_files()))
    print_lines(f"Next: pandas.read_parquet({str(target.trials_parquet)!r}), or open {target.trials_csv}")
