"""The command line: the only place that prints or exits."""

import functools
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import optuna
import typer
from rich.console import Console

from hpo.config import Budget
from hpo.config_file import ConfigError, find_config, read_config
from hpo.paths import StudyPaths
from model.errors import UserError

# Everything that loads torch is imported where it is used: help and a faulty file answer at once.
if TYPE_CHECKING:
    from hpo.tune import Opened
    from model.train import EpochMetrics

OUR_FAULT, USER_FAULT, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Find the best hyperparameters of a convolutional VAE on CIFAR-10, then retrain the best and show it.",
)
console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Config = Annotated[
    str, typer.Argument(help="A study's name (quick) or its file (study_configs/quick.yaml).", show_default=False)
]
Device = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps, in place of the file's.", show_default=False)
]


def _tidy(stopped: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """One clear message and the right exit code for everything that can go wrong; `stopped` is said on Ctrl-C."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                command(*args, **kwargs)
            except UserError as error:
                _fail(str(error), USER_FAULT)
            except (OSError, optuna.exceptions.StorageInternalError) as error:
                _fail(_about_files(error), USER_FAULT)
            except KeyboardInterrupt:
                _fail(stopped, INTERRUPTED)
            except typer.Exit:
                raise
            except Exception:
                _fail(f"{traceback.format_exc()}This is a fault of ours; please report these lines.", OUR_FAULT)

        return run

    return decorate


@app.command()
@_tidy("Stopped. Every report made is kept; the same command goes on from there.")
def tune(
    config: Config,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Total trials of the study, over all calls.", show_default=False)
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Minutes for this call.", show_default=False)] = None,
    device: Device = None,
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
    _say(*prepared.notices)
    with tuning.open_study(prepared, fresh) as (study, moved):
        if moved:
            _say(f"The earlier study now lies in {moved}.")
        opened, line = tuning.measure_and_begin(prepared, study, budget)
        if line:
            _say(line)
        interrupted = _run_trials(opened)
        _say(*summarize(opened.place.study, opened.place.config, opened.ppca_bpd, config))
    if interrupted:
        raise typer.Exit(INTERRUPTED)


@app.command()
@_tidy("Stopped. Nothing was changed; the same command begins the retraining anew.")
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
    """Retrain the best trial at full length, score it once on the test split, draw its pictures and its animation."""
    study_config = read_config(find_config(config))
    from hpo import retrain as retraining
    from hpo import tune as tuning
    from hpo.display import shown
    from hpo.run import Finished

    prepared = tuning.prepare_machine(study_config, device)
    _say(*prepared.notices)
    study = tuning.open_for_reading(prepared, config)
    chosen = retraining.choose_trial(study, trial, config)
    n_epochs = epochs or prepared.config.retrain.epochs
    values = ", ".join(f"{name} {shown(value)}" for name, value in chosen.params.items())
    _say(f"Retraining trial {chosen.number} for {n_epochs} epochs ({prepared.runtime.describe()}): {values}")
    for event in retraining.retrain(prepared, study, chosen, n_epochs):
        _say(*(retraining.compare(event) if isinstance(event, Finished) else [_epoch_line(event, n_epochs)]))
    best = StudyPaths.of(prepared.config.name).best
    _say(f"Next: open {best.animation_gif}, and the pictures beside it")


@app.command()
@_tidy("Stopped.")
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
    _say(*([warning] if warning else []), f"Dashboard of {paths.folder}: http://{host}:{free}  (Ctrl-C to stop)")
    server.serve(paths, host, free)


def _call_budget(budget: Budget, trials: int | None, timeout: float | None) -> Budget:
    if timeout is not None and not 0 < timeout < float("inf"):
        raise ConfigError(f"--timeout: must be > 0 minutes, got {timeout}")
    given = {"trials": trials, "timeout_minutes": timeout}
    return budget.model_copy(update={name: value for name, value in given.items() if value is not None})


def _run_trials(opened: "Opened") -> bool:
    """Work until the budget is spent; return whether somebody asked to stop before."""
    from hpo.display import LiveTable, PlainLines, Progress
    from hpo.interrupt import graceful
    from hpo.search_space import searched
    from hpo.study import best_trial, ended, is_pruned
    from hpo.workers import may_stop_after, work

    place = opened.place
    best = best_trial(place.study)
    over = ended(place.study)
    progress = Progress(
        columns=list(searched(place.config.hyperparameters)),
        epochs=place.config.training.epochs,
        n_total=opened.budget.trials,
        deadline=opened.deadline,
        best=(best.number, best.value) if best and best.value is not None else None,
        n_ended=len(over),
        n_pruned=sum(is_pruned(trial.user_attrs["end"]) for trial in over),
    )
    screen = LiveTable(console, progress) if console.is_terminal else PlainLines(console, progress)
    announcement = "Stopping after the epoch under way; Ctrl-C again stops at once."
    with screen, graceful(lambda: screen.announce(announcement)) as interrupt:
        for event in work(place, opened.budget.trials, opened.deadline):
            screen.show(event)
            if interrupt.requested and may_stop_after(event, place):
                return True
    return False


def _epoch_line(metrics: "EpochMetrics", n_epochs: int) -> str:
    return (
        f"epoch {metrics.epoch:g}/{n_epochs}: val_bpd {metrics.val_bpd:.4f} (rate {metrics.val_rate_nats:.1f} nats, "
        f"mse {metrics.val_mse:.5f}), {metrics.images_per_second:,.0f} images/s"
    )


def _about_files(error: OSError | optuna.exceptions.StorageInternalError) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{Path(str(error.filename))}: {error.strerror}; mend that and run the same command again"
    return f"{' '.join(str(error).split())}; mend that and run the same command again"


def _say(*lines: str) -> None:
    for line in lines:
        console.print(line, markup=False)


def _fail(message: str, code: int) -> None:
    errors.print(message if code != USER_FAULT else f"error: {message}", markup=False)
    raise typer.Exit(code)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    app(prog_name="python -m hpo")
