"""Commands that show a study, and what it holds that can go."""

from pathlib import Path
from typing import Annotated

import typer

from hpo.checkpoints import N_KEPT
from hpo.commands.arguments import Config
from hpo.config_file import find_config, read_config
from hpo.terminal import say, tidy


@tidy("Stopped.")
def status(config: Config) -> None:
    """Tell how a study stands: trials, best so far, workers alive, disk used, and whether anything needs attention.

    Changes nothing, and may be asked at any time, also while the study is running.
    """
    study_config = read_config(find_config(config))
    from hpo.database import find_study
    from hpo.status import described, status_of

    paths, study = find_study(study_config.name, config)
    say(*described(status_of(study, study_config, paths), study_config, config))


@tidy("Stopped. What was removed was of no more use; the same command removes the rest.")
def clean(
    config: Config,
    keep: Annotated[int, typer.Option(min=0, help="Checkpoints of so many of the best trials stay.")] = N_KEPT,
) -> None:
    """Remove checkpoints that are no longer needed; never a result, nor what an interrupted trial goes on from."""
    study_config = read_config(find_config(config))
    from hpo import artifacts, checkpoints
    from hpo.database import find_study
    from hpo.lock import held

    paths, study = find_study(study_config.name, config)
    with held(paths.lock, str(paths.folder)):
        n_bytes = checkpoints.clean(study, paths, keep, study_config.pruner) + artifacts.remove_strays(study, paths)
    say(f"{paths.folder}: {n_bytes / 1e6:.1f} MB freed", f"Next: python -m hpo status {config}")


@tidy("Stopped.")
def dashboard(
    config: Config,
    host: Annotated[str, typer.Option(help="Address to listen on; only this machine reaches 127.0.0.1.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port; a free one where it is taken.")] = 8080,
) -> None:
    """Browse the study in optuna-dashboard, also while it is running."""
    study_config = read_config(find_config(config))
    from hpo import dashboard as server
    from hpo.artifacts import lost
    from hpo.database import find_study

    paths, study = find_study(study_config.name, config)
    listening = server.listen(paths, host, port)
    notices = [line for line in (lost(study, paths), server.warning(host)) if line]
    say(*notices, f"Dashboard of {paths.folder}: http://{host}:{listening.server_port}  (Ctrl-C to stop)")
    with listening:
        listening.serve_forever()


@tidy("Stopped. What was written is whole.")
def report(config: Config) -> None:
    """Write the study's page anew: one file that tells all of it, opens from disk, and can be sent to anyone."""
    from hpo.at_hand import open_at_hand
    from hpo.report import write_report

    at_hand = open_at_hand(config)
    write_report(at_hand)
    say(f"Next: open {at_hand.paths.report}")


@tidy("Stopped. What was written is whole.")
def export(
    study: Config,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the tables; results/<study>/export if left out.", show_default=False)
    ] = None,
) -> None:
    """Write all trials, and all epochs of all trials, as CSV and as Parquet (pandas.read_parquet)."""
    from hpo.at_hand import open_at_hand
    from hpo.export import write_tables
    from hpo.paths import ExportPaths

    at_hand = open_at_hand(study)
    target = ExportPaths(output) if output else at_hand.paths.export
    n_trials, n_reports = write_tables(at_hand, target)
    say(f"{n_trials} trials and {n_reports} reports of theirs, each as CSV and Parquet, in {target.folder}")
    say(f"Next: pandas.read_parquet({str(target.trials_parquet)!r}), or open {target.trials_csv}")
