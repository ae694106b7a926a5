"""The command line."""

import signal
import warnings

import optuna
import typer

# Everything that loads torch is imported by these where it is used: help and a faulty file answer at once.
from hpo.commands import look, search, single

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Find the best hyperparameters of a convolutional VAE on CIFAR-10, then retrain the best and show it.",
)

COMMANDS = (
    *(search.tune, search.retrain, single.train, single.figures),
    *(look.status, look.dashboard, look.report, look.export, look.clean),
)
for command in COMMANDS:
    app.command()(command)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        app(prog_name="python -m hpo")
    finally:
        # All is said, and an exception while the interpreter shuts down is caught by nobody.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
