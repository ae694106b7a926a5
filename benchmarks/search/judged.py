"""Searches before judges of three kinds: `python -m benchmarks.search.judged`. Give it again to go on.

Repetitions that are finished are kept in benchmarks/.cache; then results/search_judges.json and its part of SEARCH.md
are written from all.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Annotated

import numpy as np
import typer

from benchmarks.search.configurations import Configuration, by_configuration
from benchmarks.search.epoch_seconds import read_timings
from benchmarks.search.gaussian_process import Array
from benchmarks.search.judgements import LIMIT, Judged, read_judged, write_judged
from benchmarks.search.judges.forest import Forest
from benchmarks.search.judges.gp_samples import GPSamples
from benchmarks.search.judges.judge import Judge
from benchmarks.search.judges.neighbours import Neighbours
from benchmarks.search.methods import METHODS, OURS, PARTS, PEERS, Method
from benchmarks.search.page import replace_judged
from benchmarks.search.replays import HORIZON, Ground, Task, quiet, replay
from benchmarks.search.simulator import Trace
from benchmarks.search.summary import n_reached, quartiles, regrets, to_target
from benchmarks.search.surrogate import noise_of
from benchmarks.search.table import CIFAR10

# By name: from the table and the variances of one seed's scores at each epoch, in bits per dimension squared.
JUDGES: dict[str, Callable[[Sequence[Configuration], Array], Judge]] = {
    "gaussian process": GPSamples.fit,
    "random forest": Forest.fit,
    "nearest neighbours": Neighbours.fit,
}
COMPARED = {name: (METHODS | PARTS)[name] for name in ("random", "tpe_median", *PARTS, OURS)}
ALL: dict[str, Method] = PEERS | COMPARED
_REMEDY = "install them with: make .peer-packages"


def main(
    repetitions: Annotated[int, typer.Option(min=1, help="Of every method, before every judge.")] = 20,
    processes: Annotated[int, typer.Option(min=1, help="Repetitions side by side.")] = os.cpu_count() or 1,
    methods: Annotated[
        list[str] | None,
        typer.Option("--method", help="This one alone; may be repeated. Those of other packages run only by name."),
    ] = None,
) -> None:
    """Run what is missing, print it, and replace these methods' entries in benchmarks/results/search_judges.json."""
    if unknown := [name for name in methods or () if name not in ALL]:
        raise typer.BadParameter(f"must be one of {', '.join(ALL)}, but got {unknown[0]}", param_hint="--method")
    if set(methods or ()) & PEERS.keys() and not (find_spec("smac") and find_spec("syne_tune")):
        raise typer.BadParameter(f"needs other packages; {_REMEDY}", param_hint="--method")
    os.environ["OMP_NUM_THREADS"] = "1"
    quiet()
    curves = CIFAR10.read()
    compared = {name: ALL[name] for name in methods or COMPARED}
    ground = replace(Ground.of(curves, read_timings(), CIFAR10.space, compared), limit=LIMIT)
    table = by_configuration(curves)
    tasks = [Task(method, 1, repetition) for method in compared for repetition in range(repetitions)]
    found = []
    for name, fit in JUDGES.items():
        judge = fit(table, noise_of(table).deviation_E ** 2)
        traces = replay(tasks, replace(ground, judge=judge), n_processes=processes)
        for method in compared:
            some = [trace for task, trace in traces.items() if task.method == method]
            found.append(_judged(name, method, some, ground.surrogate.full_length_s))
            typer.echo(f"{name}, {method}: {found[-1].n_reached} of {repetitions} reached the target")
    kept = [each for each in read_judged() if each.method in ALL.keys() - compared.keys() and each.judge in JUDGES]
    judged = sorted([*kept, *found], key=_order)
    write_judged(judged)
    replace_judged(judged)


def _order(judged: Judged) -> tuple[int, int]:
    return list(JUDGES).index(judged.judge), list(ALL).index(judged.method)


def _judged(judge: str, method: str, traces: Sequence[Trace], unit_s: float) -> Judged:
    times, after = to_target(traces, unit_s, LIMIT), regrets(traces, [HORIZON], unit_s)
    return Judged(judge, method, len(traces), n_reached(traces), _rounded(quartiles(times)), _rounded(quartiles(after)))


def _rounded(quartiles_3: Array) -> tuple[float, float, float]:
    low, median, high = (float(f"{value:.4g}") for value in np.ravel(quartiles_3))
    return low, median, high


if __name__ == "__main__":
    typer.run(main)
