"""Grow the table of learning curves: `python -m benchmarks.search.grow`. Give it again to go on.

On a GPU models of one batch size are trained side by side; on a CPU one process a core takes the next run that nobody
has made.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.jsonl import append
from benchmarks.machine import find_machine
from benchmarks.search.stacked import Scores, train_stack
from benchmarks.search.table import TABLE, Curve, configuration, outstanding, read_table, train_config
from model.data.cifar10 import load_cifar10
from model.data.images import ImageData
from model.device import Runtime, resolve
from model.training.train_state import TrainState
from model.training.training_loop import Diverged, train

Run = tuple[int, int]
# More on a GPU gain nothing: kernels of so many fill it.
_SIDE_BY_SIDE = 25
_COLUMNS = ("val_bpd", "val_rate_nats", "val_mse", "seconds")


def main(
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes side by side on a CPU, one thread each.")] = os.cpu_count()
    or 1,
    minutes: Annotated[float | None, typer.Option(help="Begin no run after so many.", show_default=False)] = None,
) -> None:
    """Train what the table lacks."""
    runtime, root = find_machine(device)
    ends = time.monotonic() + 60 * minutes if minutes else float("inf")
    if runtime.device.type == "cuda":
        _grow_in_stacks(load_cifar10(root).to(runtime.device), runtime, ends)
    else:
        _grow_by_processes(root, workers, ends)


def stacks(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Runs that can be trained side by side: of one batch size, and of latent sizes near each other."""
    order = {run: (train_config(*run).batch_size, train_config(*run).latent_dim) for run in runs}
    for size in sorted({batch_size for batch_size, _ in order.values()}):
        of_size = sorted((run for run in runs if order[run][0] == size), key=lambda run: order[run][1])
        yield from (of_size[first : first + _SIDE_BY_SIDE] for first in range(0, len(of_size), _SIDE_BY_SIDE))


def train_side_by_side(runs: Sequence[Run], data: ImageData, runtime: Runtime) -> list[Curve]:
    """Train them in full, each until it diverges."""
    configs = [train_config(*run) for run in runs]
    rows: dict[Run, list[Scores]] = {run: [] for run in runs}
    for scores in train_stack(configs, data.train.images, data.validation.images, runtime):
        for run, row in zip(runs, scores, strict=True):
            if row is not None:
                rows[run].append(row)
    return [_curve(run, [row.__dict__ for row in of_run]) for run, of_run in rows.items()]


def train_one(run: Run, data: ImageData, runtime: Runtime) -> Curve:
    """Train one configuration in full, or until it diverges."""
    rows: list[dict[str, float]] = []
    before = time.process_time()
    try:
        for metrics in train(TrainState(train_config(*run), runtime), data):
            # Of this process alone, so that what else the machine does is not in it.
            after = time.process_time()
            rows.append({name: getattr(metrics, name) for name in ("val_bpd", "val_rate_nats", "val_mse")})
            rows[-1]["seconds"], before = after - before, after
    except Diverged:
        pass
    return _curve(run, rows)


def _grow_in_stacks(data: ImageData, runtime: Runtime, ends: float) -> None:
    while (missing := outstanding(read_table())) and time.monotonic() < ends:
        for curve in train_side_by_side(next(stacks(missing)), data, runtime):
            _add(curve)


def _grow_by_processes(root: Path, workers: int, ends: float) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running: dict[Run, subprocess.Popen[bytes]] = {}
    while True:
        if any(process.poll() for process in running.values()):
            raise typer.Exit(1)
        running = {run: process for run, process in running.items() if process.poll() is None}
        missing = [run for run in outstanding(read_table()) if run not in running]
        if not running and (not missing or time.monotonic() > ends):
            return
        if missing and len(running) < workers and time.monotonic() < ends:
            index, seed = missing[0]
            command = [sys.executable, "-m", "benchmarks.search.grow", "one", str(index), str(seed), str(root)]
            running[missing[0]] = subprocess.Popen(command, env=environment)
        else:
            time.sleep(0.2)


def _curve(run: Run, rows: Sequence[Mapping[str, float]]) -> Curve:
    config = train_config(*run)
    columns = (tuple(float(f"{row[name]:.6g}") for row in rows) for name in _COLUMNS)
    values: dict[str, Any] = {name: getattr(config, name) for name in configuration(run[0])}
    return Curve(*run, values, *columns)


def _add(curve: Curve) -> None:
    append(TABLE, curve.__dict__)
    last = f"{curve.val_bpd[-1]:.4f}" if curve.val_bpd else "diverged"
    print(f"{curve.index} seed {curve.seed}: {last} after {len(curve.val_bpd)} epochs", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        _add(train_one((int(sys.argv[2]), int(sys.argv[3])), load_cifar10(Path(sys.argv[4])), resolve("cpu")))
    else:
        typer.run(main)
