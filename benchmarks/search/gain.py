"""What a further search was expected to bring, and what it brought: `python -m benchmarks.search.gain`.

Searches on the table's surrogate, one worker each. Each time the number of configurations has doubled, the score
without noise of the best finished one is compared with what was expected before.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from statistics import mean
from typing import Annotated

import typer

from benchmarks.search.epoch_seconds import read_timings
from benchmarks.search.ours import Ours
from benchmarks.search.replays import quiet
from benchmarks.search.surrogate import Surrogate
from benchmarks.search.table import CIFAR10
from benchmarks.tables import RESULTS
from hpo.search.configurations import Configuration, configurations_of
from hpo.search.samplers import ConfigurationSampler
from model.atomic_files import write_text

N_CONFIGURATIONS = (16, 32, 64)
GAINS = RESULTS / "search_gain.json"


@dataclass(frozen=True)
class Doubling:
    """Expected and true gain from `n` configurations to twice as many, in bits per dimension."""

    n: int
    expected: float
    reached: float


def main(
    repetitions: Annotated[int, typer.Option(min=1, help="Searches, each with its own seed.")] = 16,
    processes: Annotated[int, typer.Option(min=1, help="Searches side by side.")] = os.cpu_count() or 1,
) -> None:
    """Run the searches, print the mean gains, and write all of them to benchmarks/results/search_gain.json."""
    os.environ["OMP_NUM_THREADS"] = "1"
    quiet()
    surrogate = Surrogate.fit(CIFAR10.read(), read_timings())
    with ProcessPoolExecutor(processes) as pool:
        found = [each for some in pool.map(partial(doublings, surrogate), range(repetitions)) for each in some]
    write_text(GAINS, json.dumps([asdict(each) for each in found], indent=1) + "\n")
    for n in N_CONFIGURATIONS[:-1]:
        some = [each for each in found if each.n == n]
        expected, reached = (mean(getattr(each, name) for each in some) for name in ("expected", "reached"))
        typer.echo(f"{n} to {2 * n} configurations: {expected:.4f} expected, {reached:.4f} reached")


def doublings(surrogate: Surrogate, seed: int) -> list[Doubling]:
    """Search once, and compare at each number of configurations."""
    quiet()
    own = replace(surrogate, repetition=seed)
    states = [
        (n, _gain(configurations, search), _best_score(search, own)) for n, configurations, search in _search(own, seed)
    ]
    return [Doubling(n, expected, before - after) for (n, expected, before), (_, _, after) in pairwise(states)]


def _search(surrogate: Surrogate, seed: int) -> Iterator[tuple[int, list[Configuration], Ours]]:
    """Yield each of N_CONFIGURATIONS once the study has so many, and a finished one."""
    search, n_epochs = Ours(seed, CIFAR10.space), Counter[int]()
    waiting = list(N_CONFIGURATIONS)
    while waiting:
        configurations = [each for each in configurations_of(search.study) if each.scores]
        if len(configurations) >= waiting[0] and search.incumbent() is not None:
            yield waiting.pop(0), configurations, search
            continue
        job = search.next()
        assert job is not None, "a search without an end always has a configuration to train"
        curve = surrogate.curve(job.values, job.seed)
        while n_epochs[job.key] < len(curve):
            n_epochs[job.key] += 1
            if search.report(job, n_epochs[job.key], float(curve[n_epochs[job.key] - 1])):
                break


def _gain(configurations: list[Configuration], search: Ours) -> float:
    assert isinstance(search.study.sampler, ConfigurationSampler)
    gain = search.study.sampler.predict_gain(configurations, len(configurations))
    assert gain is not None, "a configuration has finished"
    return gain


def _best_score(search: Ours, surrogate: Surrogate) -> float:
    """Return the score without noise of the best finished configuration."""
    values = search.incumbent()
    assert values is not None, "a configuration has finished"
    return surrogate.final(values)


if __name__ == "__main__":
    typer.run(main)
