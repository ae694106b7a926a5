"""Commands that search and retrain."""

from typing import Annotated

import typer

from hpo.cli.console import say
from hpo.cli.exit_codes import INTERRUPTED, reports_errors
from hpo.cli.follow_trials import follow_trials
from hpo.cli.options import Config, Device
from hpo.config.schema import Budget
from hpo.config.study_file import ConfigError, find_config, read_config
from hpo.storage.paths import StudyPaths


@reports_errors("Stopped. Every report made is kept; the same command goes on from there.")
def tune(
    config: Config,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Total trials of the study, over all calls.", show_default=False)
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Minutes for this call.", show_default=False)] = None,
    device: Device = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the study and the cores.")] = 1,
    from_study: Annotated[
        str | None, typer.Option(help="Begin a new study with what this one has found.", show_default=False)
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew; the earlier study is moved aside, never deleted.")
    ] = False,
) -> None:
    """Search for the best hyperparameters; run it again to go on where it stopped.

    Every trial trains a conv VAE and is scored by val_bpd: the negative ELBO at beta = 1 on the validation split, in
    bits per dimension, lower is better. Unpromising trials are pruned. Ctrl-C stops after the epoch under way.
    """
    study_config = read_config(find_config(config))
    from hpo.analysis.pareto import objectives_notice
    from hpo.analysis.results import findings, next_step
    from hpo.report.study_page import try_to_write_report
    from hpo.storage.artifacts import lost
    from hpo.storage.open_study import OpenStudy, config_as_run
    from hpo.workers import tuning_session
    from hpo.workers.worker import TooManyFailures

    budget = _call_budget(study_config.budget, trials, timeout)
    prepared = tuning_session.prepare_machine(study_config, device)
    if from_study:
        # Before an earlier study is moved aside for it.
        prepared = tuning_session.with_warm_start(prepared, from_study, fresh)
    say(*prepared.notices)
    with tuning_session.locked_study(prepared, fresh) as (study, moved):
        if moved:
            say(f"The earlier study now lies in {moved}.")
        if study is not None and (line := lost(study, StudyPaths.of(prepared.config.name))):
            say(line)
        opened, line = tuning_session.start_session(prepared, study, budget, workers)
        if line:
            say(line)
            if word := objectives_notice(prepared.config):
                say(word)
            tuning_session.record_call(opened, workers)
        place = opened.place
        at_hand = OpenStudy(place.study, config_as_run(place.config, place.study), place.paths, config)
        try:
            interrupted = follow_trials(opened, workers)
        except TooManyFailures:
            say(try_to_write_report(at_hand))
            raise
        say(*findings(place.study, place.config, opened.ppca_bpd))
        say(try_to_write_report(at_hand), next_step(place.study, place.config, config))
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _call_budget(budget: Budget, trials: int | None, timeout: float | None) -> Budget:
    if timeout is not None and not 0 < timeout < float("inf"):
        raise ConfigError(f"--timeout: must be > 0 minutes, got {timeout}")
    given = {"trials": trials, "timeout_minutes": timeout}
    return budget.model_copy(update={name: value for name, value in given.items() if value is not None})
