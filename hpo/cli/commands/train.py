"""Commands on one run of its own."""

from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.console import say
from hpo.cli.exit_codes import reports_errors
from hpo.cli.follow_run import follow_run
from hpo.config.hyperparameters import TUTORIAL
from hpo.storage.paths import TRAIN


@reports_errors("Stopped. Every finished epoch is kept; the same command goes on from there.")
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
    adam_beta2: Annotated[float, typer.Option(help="Decay of Adam's second moment.")] = TUTORIAL.adam_beta2,
    architecture: Annotated[
        str, typer.Option(help="norm_free, or plain: the tutorial's, with batch normalisation.")
    ] = TUTORIAL.architecture,
    linear_path: Annotated[
        bool, typer.Option("--linear-path", help="Probabilistic PCA beside the convolutions.")
    ] = TUTORIAL.linear_path,
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
    """Train once with the values given, the tutorial's by default, and draw the same pictures as best-retrain.

    Ctrl-C stops after the epoch under way; the same command goes on from there.
    """
    # The options that are fields of a study's file go by their names there.
    options = {name: value for name, value in locals().items() if name not in ("data", "device", "output", "test")}
    from hpo.analysis.run_results import run_summary
    from hpo.runs import train

    prepared = train.prepare(train.read_options(options, data), output, device, test)
    say(*prepared.notices)
    say(f"Training for {epochs} epochs ({prepared.run.runtime.describe()}) into {prepared.paths.folder}")
    say(*run_summary(follow_run(train.run_single(prepared), epochs)))
    say(f"Next: open {prepared.paths.page}")
