"""Commands that search and retrain."""

from typing import Annotated

import typer

from hpo.commands.arguments import Config, Device
from hpo.config import Budget
from hpo.config_file import ConfigError, find_config, read_config
from hpo.paths import StudyPaths
from hpo.terminal import INTERRUPTED, follow_run, follow_trials, say, tidy


@tidy("Stopped. Every report made is kept; the same command goes on from there.")
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
    from hpo import tune as tuning
    from hpo.artifacts import lost
    from hpo.at_hand import StudyAtHand, as_it_ran
    from hpo.front import about_objectives
    from hpo.report import try_to_write_report
    from hpo.summary import findings, next_step
    from hpo.workers import TrialsFail

    budget = _call_budget(study_config.budget, trials, timeout)
    prepared = tuning.prepare_machine(study_config, device)
    if from_study:
        # Before an earlier study is moved aside for it.
        prepared = tuning.with_warm_start(prepared, from_study, fresh)
    say(*prepared.notices)
    with tuning.open_study(prepared, fresh) as (study, moved):
        if moved:
            say(f"The earlier study now lies in {moved}.")
        if study is not None and (line := lost(study, StudyPaths.of(prepared.config.name))):
            say(line)
        opened, line = tuning.measure_and_begin(prepared, study, budget, workers)
        if line:
            say(line)
            if word := about_objectives(prepared.config):
                say(word)
            tuning.write_down_call(opened, workers)
        place = opened.place
        at_hand = StudyAtHand(place.study, as_it_ran(place.config, place.study), place.paths, config)
        try:
            interrupted = follow_trials(opened, workers)
        except TrialsFail:
            say(try_to_write_report(at_hand))
            raise
        say(*findings(place.study, place.config, opened.ppca_bpd))
        say(try_to_write_report(at_hand), next_step(place.study, place.config, config))
    if interrupted:
        raise typer.Exit(INTERRUPTED)


@tidy("Stopped. Every finished epoch is kept; the same command goes on from there.")
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
    from hpo import retrain as retraining
    from hpo import tune as tuning
    from hpo.at_hand import StudyAtHand, as_it_ran
    from hpo.display import shown
    from hpo.report import try_to_write_report

    prepared = tuning.prepare_machine(study_config, device)
    say(*prepared.notices)
    study = tuning.open_for_reading(prepared, config)
    chosen = retraining.choose_trial(study, trial, config)
    n_epochs = epochs or prepared.config.retrain.epochs
    values = ", ".join(f"{name} {shown(value)}" for name, value in chosen.params.items())
    why = ", of lowest val_bpd," if trial is None and len(prepared.config.objectives) > 1 else ""
    say(f"Retraining trial {chosen.number}{why} for {n_epochs} epochs ({prepared.runtime.describe()}): {values}")
    finished = follow_run(retraining.retrain(prepared, study, chosen, n_epochs), n_epochs)
    say(*retraining.compare(finished))
    paths = StudyPaths.of(prepared.config.name)
    say(try_to_write_report(StudyAtHand(study, as_it_ran(prepared.config, study), paths, config)))
    say(f"Next: open {paths.best.page}")


def _call_budget(budget: Budget, trials: int | None, timeout: float | None) -> Budget:
    if timeout is not None and not 0 < timeout < float("inf"):
        raise ConfigError(f"--timeout: must be > 0 minutes, got {timeout}")
    given = {"trials": trials, "timeout_minutes": timeout}
    return budget.model_copy(update={name: value for name, value in given.items() if value is not None})
