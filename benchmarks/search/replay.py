"""Compare searches on the table: `python -m benchmarks.search.replay`. Give it again to go on.

Repetitions that are finished are kept in benchmarks/.cache; then page, figure and numbers are written from all.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer

from benchmarks.search.epoch_seconds import read_timings
from benchmarks.search.judgements import read_judged
from benchmarks.search.live_pairs import read_live
from benchmarks.search.methods import METHODS, OURS, Method
from benchmarks.search.page import Results, spread, write
from benchmarks.search.replays import LIMIT, Ground, Task, quiet, replay
from benchmarks.search.simulator import Trace
from benchmarks.search.summary import n_reached, to_target
from benchmarks.search.table import CIFAR10, Curve

# Fewer say nothing about a space of four dimensions.
_FEWEST = 20
# Repetitions of a method, and of one whose sampler is slow.
_REPETITIONS, _FULL_REPETITIONS = (20, 5), (100, 20)
_WORKERS, _FULL_WORKERS = (1, 4), (1, 4, 16)
# Rules of ours were chosen by repetitions with lower numbers: these are new to it.
_UNSEEN = range(10_000, 10_300)
_COMPARED_ON_UNSEEN = (OURS, "random", "one_epoch_top_k", "tpe_median")


def main(
    full: Annotated[bool, typer.Option("--full", help="More repetitions, and 16 workers as well.")] = False,
    repetitions: Annotated[int | None, typer.Option(help="Of every method.", min=1, show_default=False)] = None,
    method: Annotated[str | None, typer.Option(help="This one alone; writes nothing.", show_default=False)] = None,
    workers: Annotated[
        int | None, typer.Option(help="This number alone; writes nothing.", min=1, show_default=False)
    ] = None,
    processes: Annotated[int, typer.Option(help="Repetitions side by side.", min=1)] = os.cpu_count() or 1,
) -> None:
    """Run what is missing, tell it, and write page, figure and numbers."""
    if method and method not in METHODS:
        raise typer.BadParameter(f"must be one of {', '.join(METHODS)}, but got {method}", param_hint="--method")
    curves = _table()
    # Read by the processes as they start: one thread each.
    os.environ["OMP_NUM_THREADS"] = "1"
    quiet()
    ground = Ground.of(curves, read_timings(), CIFAR10.space, {method: METHODS[method]} if method else METHODS)
    counts = (workers,) if workers else _FULL_WORKERS if full else _WORKERS
    tasks = [task for n_workers in counts for task in _tasks(ground.methods, n_workers, repetitions, full)]
    traces = _by_workers(replay(tasks, ground, n_processes=processes))
    for n_workers, of_method in traces.items():
        _tell(n_workers, of_method, ground.surrogate.full_length_s)
    if not method and not workers:
        unseen = _by_workers(replay(_unseen_tasks() if full else [], ground, n_processes=processes)).get(1, {})
        write(Results(curves, ground.surrogate, METHODS, traces, read_live(), unseen, read_judged()))


def _table() -> list[Curve]:
    curves = CIFAR10.read()
    n_configurations = len({curve.index for curve in curves})
    if n_configurations < _FEWEST:
        remedy = "make it with `python -m benchmarks.search.grow`"
        typer.echo(f"{CIFAR10.path}: needs {_FEWEST} configurations, but has {n_configurations}; {remedy}", err=True)
        raise typer.Exit(2)
    return curves


def _tasks(methods: Mapping[str, Method], n_workers: int, repetitions: int | None, full: bool) -> Iterator[Task]:
    for name, method in methods.items():
        n_repetitions = repetitions or (_FULL_REPETITIONS if full else _REPETITIONS)[method.slow]
        yield from (Task(name, n_workers, repetition) for repetition in range(n_repetitions))


def _unseen_tasks() -> list[Task]:
    return [Task(name, 1, repetition) for name in _COMPARED_ON_UNSEEN for repetition in _UNSEEN]


def _by_workers(traces: Mapping[Task, Trace]) -> dict[int, dict[str, list[Trace]]]:
    found: dict[int, dict[str, list[Trace]]] = {}
    for task, trace in traces.items():
        found.setdefault(task.n_workers, {}).setdefault(task.method, []).append(trace)
    return found


def _tell(n_workers: int, traces: Mapping[str, Sequence[Trace]], unit_s: float) -> None:
    limit = LIMIT / n_workers
    for name, some in traces.items():
        told = f"{spread(to_target(some, unit_s, limit), limit)} full-length trainings to the target"
        typer.echo(f"{n_workers} workers, {name}: {told}, {n_reached(some)} of {len(some)} reached it")


if __name__ == "__main__":
    typer.run(main)
