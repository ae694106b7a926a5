"""Retrain regret of searches: `python -m benchmarks.search.regret [--table sample]`. Give it again to go on.

The regret is how far the configuration that a search would retrain lies above the best known one at full length. Every
search begins with the values that a new study begins with. One that plans its time knows its budget, and is repeated
for each of them.
Repetitions that are finished are kept in benchmarks/.cache; then results/search_regret.json, the key `retrain_regret`
of results/search.json and benchmarks/REGRET.md are written from all.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Annotated

import numpy as np
import typer

from benchmarks.search.configurations import by_configuration
from benchmarks.search.gaussian_process import Array
from benchmarks.search.judged import JUDGES
from benchmarks.search.judges.judge import Judge
from benchmarks.search.methods import METHODS, OURS, PARTS
from benchmarks.search.protocol import Planning, Values
from benchmarks.search.regret_page import BUDGETS, UNTUNED, OfMethod, Regrets, read_regrets, write_regrets
from benchmarks.search.replays import Ground, Task, quiet, replay
from benchmarks.search.simulator import Trace
from benchmarks.search.summary import quartiles, regrets
from benchmarks.search.table import N_EPOCHS, REPLAYED, CurveTable
from hpo.config.schema import Model, StudyConfig
from hpo.config.search_space import tutorial_values, untuned_values

COMPARED = {
    name: (METHODS | PARTS)[name]
    for name in (
        *("random", "tpe", "tpe_median", "tpe_hyperband", "ray_asha", "one_epoch_top_k"),
        *("promotion_random", "promotion_tpe", OURS),
    )
}


def main(
    tables: Annotated[list[str] | None, typer.Option("--table", help="This one alone; may be repeated.")] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Of every method, before every judge.")] = 10,
    processes: Annotated[int, typer.Option(min=1, help="Repetitions side by side.")] = os.cpu_count() or 1,
) -> None:
    """Run what is missing, and write numbers and page."""
    os.environ["OMP_NUM_THREADS"] = "1"
    quiet()
    replayed: dict[str, CurveTable] = {table.name: table for table in REPLAYED}
    if unknown := [name for name in tables or () if name not in replayed]:
        raise typer.BadParameter(f"must be one of {', '.join(replayed)}, but got {unknown[0]}", param_hint="--table")
    found: Regrets = read_regrets()
    for name in tables or replayed:
        table = replayed[name]
        if table.outstanding(table.read()):
            remedy = f"make them with `python -m benchmarks.search.grow --table {name}`"
            typer.echo(f"{table.path}: lacks runs; {remedy}", err=True)
            raise typer.Exit(2)
        for judge in JUDGES:
            found.setdefault(name, {})[judge] = _of_judge(table, judge, repetitions, processes)
            write_regrets(found, repetitions)
            typer.echo(f"{name}, {judge}: {found[name][judge][OURS]}")


def _of_judge(table: CurveTable, judge_name: str, repetitions: int, processes: int) -> dict[str, OfMethod]:
    curves = table.read()
    ground = replace(Ground.of(curves, table.timings(curves), table.space, COMPARED), is_known=True)
    judge = JUDGES[judge_name](by_configuration(curves), ground.surrogate.noise.deviation_E**2)
    config = StudyConfig(
        name=table.name, model=Model(architecture=table.architecture), hyperparameters=table.hyperparameters
    )
    untuned = untuned_values(config)
    ground = replace(ground, judge=judge, first=(tutorial_values(table.hyperparameters), untuned))
    planning = {name for name, method in COMPARED.items() if isinstance(method.make(0, table.space), Planning)}
    found: dict[str, OfMethod] = {name: {} for name in COMPARED}
    for methods, budgets in ((COMPARED.keys() - planning, [BUDGETS]), (planning, [(budget,) for budget in BUDGETS])):
        tasks = [Task(method, 1, repetition) for method in sorted(methods) for repetition in range(repetitions)]
        for at in budgets:
            limit = max(at) / N_EPOCHS
            traces = replay(tasks, replace(ground, limit=limit, horizon=limit), n_processes=processes)
            for method in methods:
                of_method = [trace for task, trace in traces.items() if task.method == method]
                found[method] |= _by_budget(of_method, at, ground.surrogate.full_length_s)
    return {UNTUNED: _untuned(untuned, ground, judge, repetitions)} | found


def _by_budget(traces: Sequence[Trace], budgets: Sequence[int], unit_s: float) -> OfMethod:
    found = quartiles(regrets(traces, [budget / N_EPOCHS for budget in budgets], unit_s))
    return {str(budget): _named(found[:, index]) for index, budget in enumerate(budgets)}


def _untuned(values: Values, ground: Ground, judge: Judge, repetitions: int) -> OfMethod:
    """Regrets of the values that are good without a search, which cost one training at any budget."""
    surrogates = [ground.surrogate.judged(judge, each) for each in range(repetitions)]
    above = [surrogate.final(values) - surrogate.final(surrogate.best) for surrogate in surrogates]
    return {str(budget): _named(quartiles(np.array(above))) for budget in BUDGETS}


def _named(quartiles_3: Array) -> dict[str, float | None]:
    # None before any training has finished.
    low, median, high = (float(f"{value:.4g}") if value < inf else None for value in quartiles_3)
    return {"median": median, "low": low, "high": high}


if __name__ == "__main__":
    typer.run(main)
