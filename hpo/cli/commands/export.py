"""Commands that show a study, and what it holds that can go."""

from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.console import say
from hpo.cli.exit_codes import reports_errors
from hpo.cli.options import Config


@reports_errors("Stopped. What was written is whole.")
def export(
    study: Config,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the tables; results/<study>/export if left out.", show_default=False)
    ] = None,
) -> None:
    """Write all trials, and all epochs of all trials, as CSV and as Parquet (pandas.read_parquet)."""
    from hpo.report.export import write_tables
    from hpo.storage.open_study import open_study
    from hpo.storage.paths import ExportPaths

    at_hand = open_study(study)
    target = ExportPaths(output) if output else at_hand.paths.export
    n_trials, n_reports = write_tables(at_hand, target)
    say(f"{n_trials} trials and {n_reports} reports of theirs, each as CSV and Parquet, in {target.folder}")
    say(f"Next: pandas.read_parquet({str(target.trials_parquet)!r}), or open {target.trials_csv}")
