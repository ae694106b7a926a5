"""The command line: what can be asked for."""

import warnings
from pathlib import Path
from typing import Annotated

import optuna
import typer

from hpo.config import TUTORIAL, Budget
from hpo.config_file import ConfigError, find_config, read_config
from hpo.paths import TRAIN, RunPaths, StudyPaths
from hpo.terminal import INTERRUPTED, follow_run, follow_trials, say, tidy

# Everything that loads torch is imported where it is used: help and a faulty file answer at once.
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Find the best hyperparameters of a convolutional VAE on CIFAR-10, then retrain the best and show it.",
)

Config = Annotated[
    str, typer.Argument(help="A study's name (quick) or its file (study_configs/quick.yaml).", show_default=False)
]
Device = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps, in place of the file's.", show_default=False)
]


@app.command()
@tidy("Stopped. Every report made is kept; the same command goes on from there.")
def tune(
    config: Config,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Total trials of the study, over all calls.", show_default=False)
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Minutes for this call.", show_default=False)] = None,
    device: Device = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the study and the cores.")] = 1,
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
    from hpo.summary import summarize

    budget = _call_budget(study_config.budget, trials, timeout)
    prepared = tuning.prepare_machine(study_config, device)
    say(*prepared.notices)
    with tuning.open_study(prepared, fresh) as (study, moved):
        if moved:
            say(f"The earlier study now lies in {moved}.")
        opened, line = tuning.measure_and_begin(prepared, study, budget)
        if line:
            say(line)
        interrupted = follow_trials(opened, workers)
        say(*summarize(opened.place.study, opened.place.config, opened.ppca_bpd, config))
    if interrupted:
        raise typer.Exit(INTERRUPTED)


@app.command()
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
    from hpo.display import shown

    prepared = tuning.prepare_machine(study_config, device)
    say(*prepared.notices)
    study = tuning.open_for_reading(prepared, config)
    chosen = retraining.choose_trial(study, trial, config)
    n_epochs = epochs or prepared.config.retrain.epochs
    values = ", ".join(f"{name} {shown(value)}" for name, value in chosen.params.items())
    say(f"Retraining trial {chosen.number} for {n_epochs} epochs ({prepared.runtime.describe()}): {values}")
    finished = follow_run(retraining.retrain(prepared, study, chosen, n_epochs), n_epochs)
    say(*retraining.compare(finished))
    say(f"Next: open {StudyPaths.of(prepared.config.name).best.page}")


@app.command()
@tidy("Stopped. Every finished epoch is kept; the same command goes on from there.")
def train(
    beta: Annotated[float, typer.Option(help="Weight of the rate in the training loss.")] = TUTORIAL.beta,
    latent_dim: Annotated[int, typer.Option(help="Latent dimensions.")] = TUTORIAL.latent_dim,
    learning_rate: Annotated[float, typer.Option(help="Adam's, after the warm-up.")] = TUTORIAL.learning_rate,
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = TUTORIAL.batch_size,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = TUTORIAL.epochs,
    schedule: Annotated[str, typer.Option(help="constant, or cosine: falls to zero over the run.")] = TUTORIAL.schedule,
    warmup_epochs: Annotated[
        float, typer.Option(help="Epochs in which the learning rate rises.")
    ] = TUTORIAL.warmup_epochs,
    reconstruction: Annotated[
        str, typer.Option(help="gaussian, or bce: the tutorial's binary cross-entropy.")
    ] = TUTORIAL.reconstruction,
    seed: Annotated[int, typer.Option(help="Of weights, order and noise.")] = TUTORIAL.seed,
    reconstruction_interval: Annotated[str, typer.Option(help="A frame every so many epochs, or: log.")] = "1",
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 2.0,
    data: Annotated[
        str, typer.Option(help="cifar10, sample (5,000 images, bundled), or a folder of images.")
    ] = "cifar10",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    output: Annotated[Path, typer.Option(help="Folder of the results; an earlier run there is moved aside.")] = TRAIN,
    test: Annotated[bool, typer.Option("--test", help="Score the test split, too, once it is trained.")] = False,
) -> None:
    """Train once with the values given (the tutorial's by default), and draw the same pictures as best-retrain.

    Ctrl-C stops after the epoch under way; the same command goes on from there.
    """
    # The options that are fields of a study's file go by their names there.
    options = {name: value for name, value in locals().items() if name not in ("data", "device", "output", "test")}
    from hpo import single_run
    from hpo.outcome import outcome

    prepared = single_run.prepare(single_run.read_options(options, data), output, device, test)
    say(*prepared.notices)
    say(f"Training for {epochs} epochs ({prepared.run.runtime.describe()}) into {prepared.paths.folder}")
    say(*outcome(follow_run(single_run.train_alone(prepared), epochs)))
    say(f"Next: open {prepared.paths.page}")


@app.command()
@tidy("Stopped. What was drawn is whole; the same command draws the rest.")
def figures(
    run: Annotated[
        Path, typer.Argument(help="The folder of a finished run: results/cifar10/best, say.", show_default=False)
    ],
    fps: Annotated[
        float | None, typer.Option(help="Frames a second; the run's own if left out.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Draw a finished run's pictures, animations and page again from its saved files, without training."""
    if fps is not None and not 0 < fps <= 60:
        raise ConfigError(f"--fps: must be > 0 and <= 60, got {fps}")
    from hpo.redraw import redraw

    say(*redraw(run, fps, device))
    say(f"Next: open {RunPaths(run).page}")


@app.command()
@tidy("Stopped.")
def dashboard(
    config: Config,
    host: Annotated[str, typer.Option(help="Address to listen on; only this machine reaches 127.0.0.1.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port; a free one where it is taken.")] = 8080,
) -> None:
    """Browse the study in optuna-dashboard, also while it is running."""
    study_config = read_config(find_config(config))
    from hpo import dashboard as server
    from hpo.study import find_study

    paths = find_study(study_config.name, config)
    free = server.find_port(host, port)
    warning = server.warning(host)
    say(*([warning] if warning else []), f"Dashboard of {paths.folder}: http://{host}:{free}  (Ctrl-C to stop)")
    server.serve(paths, host, free)


def _call_budget(budget: Budget, trials: int | None, timeout: float | None) -> Budget:
    if timeout is not None and not 0 < timeout < float("inf"):
        raise ConfigError(f"--timeout: must be > 0 minutes, got {timeout}")
    given = {"trials": trials, "timeout_minutes": timeout}
    return budget.model_copy(update={name: value for name, value in given.items() if value is not None})


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    app(prog_name="python -m hpo")
