"""Command `export`: write a study's tables, or what a tracker shows."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpo.analysis.formatting import counted
from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.json_lines.events import Exported
from hpo.cli.json_lines.output import emit
from hpo.cli.options import AsJson, Config, Files, Storage
from hpo.config.call_arguments import location_of
from hpo.storage.paths import ExportPaths, Tracker, TrackerPaths
from hpo.storage.paths.user_folder import check_is_no_file, expanded, results_folder
from hpo.user_commands import in_venv

if TYPE_CHECKING:
    from hpo.storage.open_study import OpenStudy


@reports_errors("Stopped. Every file that was written is complete.")
def export(
    study: Config,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the files; results/<study>/export if left out.", show_default=False)
    ] = None,
    to: Annotated[
        Tracker | None,
        typer.Option(help="Write for this program instead, into a folder of its name.", show_default=False),
    ] = None,
    storage: Storage = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Write a study's trials and epochs as CSV and Parquet, or for TensorBoard, MLflow or Weights & Biases.

    One table has a row for each trial, the other a row for each epoch of each trial. For the other programs, each trial
    is a run with its values, curves, scores and pictures. Nothing is sent anywhere.
    """
    location = location_of(storage, files)
    # A fault in the file is reported before the imports, which take seconds.
    config_of(study, location)
    if output:
        output = results_folder("--output", output) if to else expanded(output)
        check_is_no_file("--output", output)
    from hpo import open_study

    opened = open_study(study, location)
    if to:
        _write_for_tracker(opened, to, TrackerPaths(output) if output else opened.paths.export.tracker(to))
    else:
        _write_tables(opened, ExportPaths(output) if output else opened.paths.export)


def _write_tables(opened: "OpenStudy", target: ExportPaths) -> None:
    from hpo.report.export import write_tables

    n_trials, n_reports = write_tables(opened, target)
    print_lines(f"{n_trials} trials and {n_reports} of their reports, each as CSV and Parquet, in {target.folder}")
    emit(Exported(target.folder, target.all_files()))
    print_lines(f"Next: pandas.read_parquet({str(target.trials_parquet)!r}), or open {target.trials_csv}")


def _write_for_tracker(opened: "OpenStudy", tracker: Tracker, target: TrackerPaths) -> None:
    from hpo.report.trackers.export_to_tracker import export

    n_trials = export(opened, tracker, target)
    folder = shlex.quote(str(target.folder))
    next_steps: dict[Tracker, str] = {
        "tensorboard": f"{in_venv('tensorboard')} --logdir {folder}",
        "mlflow": f"cd {folder} && mlflow server, where MLflow is installed",
        "wandb-offline": f"{in_venv('wandb')} sync {folder}/{target.wandb_runs.name}/* uploads them to your account",
    }
    print_lines(
        f"{counted(n_trials, 'trial')} for {tracker}, with values, curves, scores and pictures, in {target.folder}"
    )
    emit(Exported(target.folder, target.all_files()))
    print_lines(f"Next: {next_steps[tracker]}")
