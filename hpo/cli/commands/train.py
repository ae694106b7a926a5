"""Command `train`: one training run with given values. Its options follow from the fields of TrainConfig."""

import inspect
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

import typer

from hpo.cli.console import say
from hpo.cli.exit_codes import reports_errors
from hpo.cli.follow_run import follow_run
from hpo.storage.paths import TRAIN
from model.config import SETTINGS, Setting

# Fields of TrainConfig that a single run does not offer: it reports once an epoch, with the usual channels.
_NOT_OFFERED = ("report_every", "channels")
_RUN_OPTIONS: dict[str, tuple[Any, Any]] = {
    "reconstruction_interval": (
        Annotated[str, typer.Option(help="Epochs between two frames of the animation, or: log.")],
        "1",
    ),
    "fps": (Annotated[float, typer.Option(help="Frames per second of the animation.")], 2.0),
    "data": (
        Annotated[str, typer.Option(help="cifar10, sample (5,000 images, bundled), or a folder of images.")],
        "cifar10",
    ),
    "device": (Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")], "auto"),
    "output": (
        Annotated[Path, typer.Option(help="Folder of the results; an earlier run there is moved aside.")],
        TRAIN,
    ),
    "test": (Annotated[bool, typer.Option("--test", help="Also score the test split at the end.")], False),
}


def _setting_option(setting: Setting) -> tuple[Any, Any]:
    """Return the annotation and default of the option that sets a field of TrainConfig."""
    name = f"--{setting.name.replace('_', '-')}"
    if setting.type is bool:
        return Annotated[bool, typer.Option(name, help=setting.description)], setting.default
    kind = str if get_origin(setting.type) is Literal else setting.type
    return Annotated[kind, typer.Option(name, help=setting.description)], setting.default


def _options() -> dict[str, tuple[Any, Any]]:
    settings = {name: _setting_option(setting) for name, setting in SETTINGS.items() if name not in _NOT_OFFERED}
    return settings | _RUN_OPTIONS


def _with_options(function: Any) -> Any:
    """Give a function of keyword arguments the signature that typer reads the command's options from."""
    options = _options()
    function.__signature__ = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in options.items()
        ]
    )
    function.__annotations__ = {name: annotation for name, (annotation, _) in options.items()}
    return function


@reports_errors("Stopped. Every finished epoch is kept; run the same command to continue.")
@_with_options
def train(**options: Any) -> None:
    """Train once with the values given, the tutorial's by default, and draw the same pictures as best-retrain.

    Ctrl-C stops after the current epoch; run the same command to continue.
    """
    data, device, output, test = (options.pop(name) for name in ("data", "device", "output", "test"))
    from hpo.analysis.run_results import run_summary
    from hpo.runs import train as single_run

    prepared = single_run.prepare(single_run.read_options(options, data), output, device, test)
    say(*prepared.notices)
    n_epochs = prepared.run.config.epochs
    say(f"Training for {n_epochs} epochs ({prepared.run.runtime.describe()}) into {prepared.paths.folder}")
    finished = follow_run(single_run.run_single(prepared), n_epochs)
    say(*run_summary(finished.metrics, finished.history), *finished.notices)
    say(f"Next: open {prepared.paths.page}")
