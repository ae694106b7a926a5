"""Cost of a study that many workers share: `python -m benchmarks.scale`, twenty minutes on two cores.

Needs a PostgreSQL server's programs on this machine; it runs in a temporary folder.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

# Of a quarter of the trials; then the last one of all.
WORKERS = (8, 16, 32, 64)


def main(
    workers: Annotated[list[int] | None, typer.Argument(help="Numbers of workers.")] = None,
    trials: Annotated[int, typer.Option(help="Trials of the last study; the others have a quarter.", min=1)] = 2_000,
    reports: Annotated[int, typer.Option(help="Reports of each trial.", min=1)] = 20,
    rate: Annotated[float, typer.Option(help="Reports a second of all workers, if they cost nothing.")] = 200.0,
    machine: Annotated[str, typer.Option(help="Kind of processor, in place of its name.")] = "",
) -> None:
    """Run each number of workers, and write benchmarks/results/scale_<kind>.json and benchmarks/SCALE.md."""
    from benchmarks.machine import describe
    from benchmarks.scale import page
    from benchmarks.scale.measure import measure_scale
    from benchmarks.scale.postgres import IS_INSTALLED
    from benchmarks.scale.workers import Load
    from model.device import resolve

    if not IS_INSTALLED:
        typer.echo("error: no PostgreSQL server was found (Debian, Ubuntu: sudo apt install postgresql)", err=True)
        raise typer.Exit(2)
    facts = describe(resolve("cpu"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sizes = workers or WORKERS
        for n_workers, n_trials in [*((n, max(1, trials // 4)) for n in sizes), (sizes[-1], trials)]:
            load = Load(n_workers, n_trials, reports, n_workers / rate)
            rows.append(measure_scale(Path(folder, f"{n_workers}_{n_trials}"), load))
            typer.echo(rows[-1])
    page.write(facts | {"device": machine or facts["device"]}, rows)


if __name__ == "__main__":
    typer.run(main)
