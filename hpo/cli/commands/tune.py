"""Command `tune`: search for the best hyperparameters."""

from typing import Annotated

import typer

from hpo.cli.console import print_lines, print_notices
from hpo.cli.exit_codes import INTERRUPTED, reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.follow_trials import follow_trials
from hpo.cli.options import AsJson, Config, Device, Files, Storage
from hpo.config.call_arguments import MAX_WORKERS, RayPlacement, location_of


@reports_errors("Stopped. Every report is kept; run the same command to continue.")
def tune(
    config: Config,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Configurations that the study tries, over all calls.", show_default=False)
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Duration of this call, in minutes.", show_default=False)
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Length of a trial; finished trials of a study go on for longer.", show_default=False),
    ] = None,
    device: Device = None,
    workers: Annotated[
        int, typer.Option(min=1, max=MAX_WORKERS, help="Worker processes, which share the study and the cores.")
    ] = 1,
    from_study: Annotated[
        str | None,
        typer.Option(help="In a new study, try the best values of this other study first.", show_default=False),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; the earlier study is moved to another folder, never deleted.")
    ] = False,
    storage: Storage = None,
    files: Files = None,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Let a Ray cluster run the workers (auto, host:6379); with --storage and --files.", show_default=False
        ),
    ] = None,
    cpus_per_worker: Annotated[float, typer.Option(min=0, help="With --ray: cores of a worker.")] = 1.0,
    gpus_per_worker: Annotated[float, typer.Option(min=0, help="With --ray: GPUs of a worker, such as 0.25.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Search for the best hyperparameters; run it again to continue.

    Each trial trains a convolutional VAE. Its score is val_bpd, the negative ELBO at beta = 1 on the validation split
    in bits per dimension; lower is better. Unpromising trials are pruned. Ctrl-C stops after the current epoch.
    """
    location = location_of(storage, files)
    study_config = config_of(config, location)
    from hpo import open_tuning_session
    from hpo.workers.worker import TooManyFailures

    with open_tuning_session(
        study_config,
        config_name=config,
        trials=trials,
        timeout_minutes=timeout,
        epochs=epochs,
        workers=workers,
        device=device,
        from_study=from_study,
        fresh=fresh,
        location=location,
        ray=RayPlacement(ray, cpus_per_worker, gpus_per_worker) if ray else None,
        on_notice=print_notices,
    ) as session:
        study = session.opened
        try:
            interrupted = follow_trials(session)
        except TooManyFailures:
            from hpo.report.study_page import try_to_write_report

            print_lines(try_to_write_report(study))
            raise
        # Imported late: the libraries that draw take seconds, and the first trial begins without them.
        from hpo.analysis.findings import findings, next_command
        from hpo.analysis.further_search import outlook
        from hpo.analysis.ppca_baseline import ppca_baseline_of
        from hpo.report.study_page import try_to_write_report

        baseline = ppca_baseline_of(study.study, study.paths)
        print_lines(*findings(study.study, session.context.config, baseline, study.paths))
        print_lines(*outlook(study.study, session.context.config))
        what_next = next_command(study.study, session.context.config, config)
        print_lines(try_to_write_report(study), what_next)
        if as_json:
            from hpo.cli.json_lines.trial_lines import emit_end

            emit_end(session, what_next, interrupted=interrupted)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
