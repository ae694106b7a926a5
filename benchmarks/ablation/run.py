"""Train the ablation's rows on all of CIFAR-10: `python -m benchmarks.ablation.run`. Give it again to go on.

Two processes, one thread each, train; then every row's speed is measured alone, on all threads, in turns.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.ablation.networks import PPCA_DIMS
from benchmarks.ablation.results import PPCA, RUNS, SPEEDS
from benchmarks.ablation.rows import ROWS
from benchmarks.jsonl import append, read
from benchmarks.machine import describe, find_machine
from model.device import Runtime

_ROUNDS = 3


def main(
    workers: Annotated[int, typer.Option(help="Processes that train side by side, one thread each; 0: none.")] = 2,
    only: Annotated[str, typer.Option(help="Only rows whose name has this in it.")] = "",
    speeds: Annotated[bool, typer.Option(help="Measure speeds, too; nothing else may run meanwhile.")] = True,
) -> None:
    """Train what has not been trained yet, then time what has not been timed; rewrite the page and its figure."""
    from benchmarks.ablation.page import write_page

    runtime, root = find_machine("cpu")
    wanted = [row for row in ROWS if only in row.name]
    done = {(run["row"], run["seed"]) for run in read(RUNS)}
    jobs = [f"{row.name}\t{seed}" for row in wanted for seed in row.seeds if (row.name, seed) not in done]
    if not PPCA.exists():
        _score_ppca(root)
    if workers:
        _train_all(jobs, workers, root)
    if speeds:
        trained = {run["row"] for run in read(RUNS)}
        _time_all(sorted({row.timed_as for row in wanted if row.name in trained}), runtime, root)
    write_page()


def _score_ppca(root: Path) -> None:
    """Score probabilistic PCA of every length on validation and test split."""
    from model.data.cifar10 import load_cifar10
    from model.scoring import ppca

    data = load_cifar10(root)
    components = ppca.fit(data.train.images)
    validation, test = (ppca.score(components, split.images, list(PPCA_DIMS)) for split in (data.validation, data.test))
    for latent_dim in PPCA_DIMS:
        append(PPCA, {"latent_dim": latent_dim, "val_bpd": validation[latent_dim], "test_bpd": test[latent_dim]})


def _train_all(jobs: list[str], workers: int, root: Path) -> None:
    """One process each, so many at a time."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    waiting, running = list(jobs), dict[int, subprocess.Popen[bytes]]()
    while waiting or running:
        while waiting and len(running) < workers:
            name, _, seed = waiting.pop(0).partition("\t")
            command = [sys.executable, "-m", "benchmarks.ablation.train_row", "train", name, seed, str(root)]
            process = subprocess.Popen(command, env=environment)
            running[process.pid] = process
        pid, status = os.wait()
        running.pop(pid, None)
        if status:
            # What the others are at is kept.
            for process in running.values():
                process.wait()
            raise typer.Exit(1)


def _time_all(names: list[str], runtime: Runtime, root: Path) -> None:
    """In turns, so that what slows the machine down slows all of them."""
    for n_rounds in range(1, _ROUNDS + 1):
        timed = Counter(speed["row"] for speed in read(SPEEDS))
        for name in names:
            if timed[name] < n_rounds:
                append(SPEEDS, {"row": name, **describe(runtime), "images_per_second": _speed_of(name, root)})


def _speed_of(name: str, root: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.ablation.train_row", "speed", name, "0", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["images_per_second"])


if __name__ == "__main__":
    typer.run(main)
