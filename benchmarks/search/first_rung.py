"""Where the first rung should be: `python -m benchmarks.search.first_rung`. Give it again to go on.

Searches of the project's own on the table's space, with the first rung after so many of eight epochs, before judges of
three kinds. Written to results/first_rung.jsonl: the median over the searches of how far the best finished
configuration is above the best known one, by the time of so many full-length trainings.
"""

import os
from collections.abc import Callable, Sequence
from math import inf

import typer

from benchmarks.jsonl import append, read
from benchmarks.search.configurations import Configuration, by_configuration
from benchmarks.search.epoch_seconds import read_timings
from benchmarks.search.gaussian_process import Array
from benchmarks.search.judges.forest import Forest
from benchmarks.search.judges.judge import Judge
from benchmarks.search.judges.neighbours import Neighbours
from benchmarks.search.ours import Ours
from benchmarks.search.replays import Ground, quiet
from benchmarks.search.simulator import Budget, simulate
from benchmarks.search.summary import quartiles, regrets
from benchmarks.search.surrogate import noise_of
from benchmarks.search.table import CIFAR10
from benchmarks.tables import RESULTS

RUNGS, TIMES, N_REPETITIONS = (1, 2, 3, 4), (4, 6, 8, 15), 8
FOUND = RESULTS / "first_rung.jsonl"
JUDGES: dict[str, Callable[[Sequence[Configuration], Array], Judge] | None] = {
    "mean of the process": None,
    "random forest": Forest.fit,
    "nearest neighbours": Neighbours.fit,
}


def main() -> None:
    """Run what is missing."""
    os.environ["OMP_NUM_THREADS"] = "1"
    quiet()
    curves = CIFAR10.read()
    table = by_configuration(curves)
    ground = Ground.of(curves, read_timings(), CIFAR10.space, {})
    unit_s = ground.surrogate.full_length_s
    budget = Budget(max(TIMES) * unit_s, max(TIMES) * unit_s)
    for name, fit in JUDGES.items():
        judge = fit(table, noise_of(table).deviation_E ** 2) if fit else None
        for rung in RUNGS:
            if any((line["judge"], line["first_rung"]) == (name, rung) for line in read(FOUND)):
                continue
            traces = [
                simulate(Ours(seed, CIFAR10.space, first_rung=rung), ground.surrogate.judged(judge, seed), budget)
                for seed in range(N_REPETITIONS)
            ]
            median = quartiles(regrets(traces, TIMES, unit_s))[1]
            found = {str(time): _rounded(value) for time, value in zip(TIMES, median, strict=True)}
            append(FOUND, {"judge": name, "first_rung": rung, "n_repetitions": N_REPETITIONS, "regret": found})
            typer.echo(f"{name}, {rung}: {found}")


def _rounded(regret: float) -> float | None:
    """Return it in thousandths; None where nothing had finished."""
    return None if regret == inf else round(float(regret), 3)


if __name__ == "__main__":
    typer.run(main)
