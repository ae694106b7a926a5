"""Command `train`: one training run with given values. Its options follow from the fields of TrainConfig."""

import inspect
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

import typer

from hpo.analysis.formatting import counted
from hpo.cli.console import print_lines, print_notices
from hpo.cli.exit_codes import reports_errors
from hpo.cli.follow_run import follow_run
from hpo.cli.json_lines.events import RunStarted
from hpo.cli.json_lines.output import emit
from hpo.cli.options import AsJson, RunDevice
from hpo.config.json_schema import describe_bounds
from hpo.config.schema import Data, Retrain
from hpo.storage.paths import TRAIN
from hpo.storage.paths.user_folder import results_folder
from model.config import FORMER_DEFAULTS, LATER_DEFAULTS, SETTINGS, Setting

# Fields of TrainConfig without an option: a single run reports once an epoch and has the default channels; the shape
# of the images is that of its data.
_WITHOUT_OPTION = ("report_every", "channels", "image_shape")
_INTERVAL, _FPS, _SOURCE = (
    Retrain.model_fields["reconstruction_interval"],
    Retrain.model_fields["fps"],
    Data.model_fields["source"],
)
_SIZE, _CHANNELS = (Data.model_fields[name].description for name in ("image_size", "image_channels"))
# Annotation and default of each option that is no field of TrainConfig.
_RUN_OPTIONS: dict[str, tuple[Any, Any]] = {
    "reconstruction_interval": (Annotated[str, typer.Option(help=_INTERVAL.description)], str(_INTERVAL.default)),
    "fps": (Annotated[float, typer.Option(help=_FPS.description)], _FPS.default),
    "data": (Annotated[str, typer.Option(help=_SOURCE.description)], _SOURCE.default),
    "image_size": (Annotated[int | None, typer.Option(help=_SIZE)], None),
    "image_channels": (Annotated[int | None, typer.Option(help=_CHANNELS)], None),
    "device": (RunDevice, "auto"),
    "output": (
        Annotated[Path, typer.Option(help="Folder of the results; an earlier run in it is moved to another folder.")],
        TRAIN,
    ),
    "test": (Annotated[bool, typer.Option("--test", help="Also score the test split at the end.")], False),
    "as_json": (AsJson, False),
}


def _setting_option(setting: Setting) -> tuple[Any, Any]:
    """Return the annotation and default of the option that sets a field of TrainConfig."""
    bounds = describe_bounds(setting.bounds)
    name = setting.name.replace("_", "-")
    option = typer.Option(
        # Named, since a flag would otherwise get its opposite, too: --no-linear-path.
        f"--{name}/--no-{name}" if setting.default is True else f"--{name}",
        help=f"{setting.description} Must be {bounds}." if bounds else setting.description,
    )
    value_type = str if get_origin(setting.type) is Literal else setting.type
    return Annotated[value_type, option], setting.default


def _options() -> dict[str, tuple[Any, Any]]:
    """Return the annotation and default of every option by its name, in the order of `--help`."""
    settings = {name: _setting_option(setting) for name, setting in SETTINGS.items() if name not in _WITHOUT_OPTION}
    return settings | _RUN_OPTIONS


def _with_options(function: Any) -> Any:
    """Set the signature of a function of context and options, from which typer makes the command's options."""
    options = _options()
    parameters = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in options.items()
        ),
    ]
    function.__signature__ = inspect.Signature(parameters)
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function


@reports_errors("Stopped. Every finished epoch is kept; run the same command to continue.")
@_with_options
def train(context: typer.Context, **options: Any) -> None:
    """Train once with given values, by default the tutorial's.

    The run gets the same pictures, animation and page as the run of retrain.

    Ctrl-C stops after the current epoch; run the same command to continue.
    """
    data, device, output, test = (options.pop(name) for name in ("data", "device", "output", "test"))
    del options["as_json"]
    output = results_folder("--output", output)
    from hpo.cli.run_summary import emit_run_end, print_drawn, run_summary
    from hpo.runs import train as single_run

    for name in (*FORMER_DEFAULTS, *LATER_DEFAULTS):
        source = context.get_parameter_source(name)
        if source is None or source.name == "DEFAULT":
            # Left open, so that a run of an earlier version continues with its own.
            del options[name]
    prepared = single_run.prepare(single_run.read_options(options, data), output, device, test)
    print_notices(*prepared.notices)
    n_epochs = prepared.run.config.epochs
    length = counted(n_epochs, "epoch")
    print_lines(f"Training for {length} ({prepared.run.runtime.describe()}) into {prepared.paths.folder}")
    emit(
        RunStarted(
            folder=prepared.paths.folder,
            epochs=n_epochs,
            study=None,
            trial=None,
            params={name: getattr(prepared.run.config, name) for name in SETTINGS},
            device=prepared.run.runtime.describe(),
        )
    )
    finished = follow_run(single_run.run_single(prepared), n_epochs)
    print_lines(*run_summary(finished.metrics, finished.history), *finished.notices)
    emit_run_end(prepared.paths, finished)
    print_drawn(prepared.paths, finished.failures)
