"""Command-line application: every command, in the order of `--help`."""

import signal
from typing import Annotated

import typer

# The commands import Optuna and torch when they run: `--help` answers at once, a faulty file without torch.
from hpo.cli.commands.clean import clean
from hpo.cli.commands.copy import copy
from hpo.cli.commands.export import export
from hpo.cli.commands.export_model import export_model
from hpo.cli.commands.retrain import retrain
from hpo.cli.commands.schema import schema
from hpo.cli.commands.show.compare import compare
from hpo.cli.commands.show.dashboard import dashboard
from hpo.cli.commands.show.figures import figures
from hpo.cli.commands.show.report import report
from hpo.cli.commands.show.status import status
from hpo.cli.commands.train import train
from hpo.cli.commands.tune import tune
from hpo.cli.commands.work import work
from hpo.cli.console import print_lines
from hpo.user_commands import PROGRAM

COMMANDS = (
    tune,
    retrain,
    train,
    figures,
    status,
    dashboard,
    report,
    compare,
    export,
    export_model,
    clean,
    work,
    copy,
    schema,
)


def _print_version(is_asked: bool) -> None:
    if not is_asked:
        return
    from hpo.storage.provenance import described_version

    print_lines(f"hpo {described_version()}")
    raise typer.Exit


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Search for the best hyperparameters of a convolutional VAE, retrain the best trial and show its results."""


for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run the command that the arguments name, and exit with its exit code."""
    try:
        app(prog_name=PROGRAM)
    finally:
        # Everything has been printed, and nothing catches an exception while the interpreter shuts down.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
