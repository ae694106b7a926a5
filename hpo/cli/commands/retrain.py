"""Commands that search and retrain."""

from typing import Annotated

import typer

from hpo.cli.console import say
from hpo.cli.exit_codes import reports_errors
from hpo.cli.follow_run import follow_run
from hpo.cli.options import Config, Device
from hpo.config.study_file import find_config, read_config
from hpo.storage.paths import StudyPaths


@reports_errors("Stopped. Every finished epoch is kept; the same command goes on from there.")
def retrain(
    config: Config,
    trial: Annotated[
        int | None, typer.Option(min=0, help="This trial instead of the best.", show_default=False)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="How long to train, in place of the file's.", show_default=False)
    ] = None,
    device: Device = None,
) -> None:
    """Retrain the best trial at full length, score it once on the test split, draw its pictures and its animation.

    Ctrl-C stops after the epoch under way; the same command goes on from there.
    """
    study_config = read_config(find_config(config))
    from hpo.analysis.formatting import format_value
    from hpo.report.study_page import try_to_write_report
    from hpo.runs import retrain as retraining
    from hpo.storage.open_study import OpenStudy, config_as_run
    from hpo.workers import tuning_session

    prepared = tuning_session.prepare_machine(study_config, device)
    say(*prepared.notices)
    study = tuning_session.existing_study_for(prepared, config)
    chosen = retraining.choose_trial(study, trial, config)
    n_epochs = epochs or prepared.config.retrain.epochs
    values = ", ".join(f"{name} {format_value(value)}" for name, value in chosen.params.items())
    why = ", of lowest val_bpd," if trial is None and len(prepared.config.objectives) > 1 else ""
    say(f"Retraining trial {chosen.number}{why} for {n_epochs} epochs ({prepared.runtime.describe()}): {values}")
    finished = follow_run(retraining.retrain(prepared, study, chosen, n_epochs), n_epochs)
    say(*retraining.compare(finished))
    paths = StudyPaths.of(prepared.config.name)
    say(try_to_write_report(OpenStudy(study, config_as_run(prepared.config, study), paths, config)))
    say(f"Next: open {paths.best.page}")
