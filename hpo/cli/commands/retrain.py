"""Command `retrain`: train the best trial at full length."""

from typing import Annotated

import typer

from hpo.cli.console import print_lines, print_notices
from hpo.cli.exit_codes import reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.follow_run import follow_run
from hpo.cli.json_lines.events import RunStarted
from hpo.cli.json_lines.output import emit
from hpo.cli.options import AsJson, Config, Device, Files, Storage
from hpo.config.call_arguments import location_of


@reports_errors("Stopped. Every finished epoch is kept; run the same command to continue.")
def retrain(
    config: Config,
    trial: Annotated[
        int | None,
        typer.Option(min=0, help="Trial to retrain, instead of the best or expected best.", show_default=False),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of training, instead of the file's.", show_default=False)
    ] = None,
    device: Device = None,
    storage: Storage = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Retrain the best trial at full length.

    The run is scored once on the test split; its pictures, animation and page are drawn.

    Ctrl-C stops after the current epoch; run the same command to continue.
    """
    location = location_of(storage, files)
    study_config = config_of(config, location)
    from hpo import open_retraining
    from hpo.analysis.formatting import counted, format_value
    from hpo.cli.run_summary import emit_run_end, print_drawn, retraining_summary
    from hpo.report.study_page import try_to_write_report

    retraining = open_retraining(
        study_config,
        config_name=config,
        trial=trial,
        epochs=epochs,
        device=device,
        location=location,
        on_notice=print_notices,
    )
    chosen, prepared, n_epochs = retraining.trial, retraining.prepared, retraining.n_epochs
    values = ", ".join(f"{name} {format_value(value)}" for name, value in chosen.params.items())
    reason = ", of lowest val_bpd," if trial is None and len(prepared.config.objectives) > 1 else ""
    length = counted(n_epochs, "epoch")
    print_lines(f"Retraining trial {chosen.number}{reason} for {length} ({prepared.runtime.describe()}): {values}")
    study = retraining.opened
    started = RunStarted(
        folder=study.paths.best.folder,
        epochs=n_epochs,
        study=study.study.study_name,
        trial=chosen.number,
        params=dict(chosen.params),
        device=prepared.runtime.describe(),
    )
    emit(started)
    finished = follow_run(retraining.events(), n_epochs)
    print_lines(*retraining_summary(finished.metrics, finished.history, finished.notices))
    print_lines(try_to_write_report(study))
    emit_run_end(study.paths.best, finished)
    print_drawn(study.paths.best, finished.failures)
