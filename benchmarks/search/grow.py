"""Grow a table of learning curves: `python -m benchmarks.search.grow [--table sample]`. Give it again to go on.

On a GPU models of one batch size are trained side by side, if they can be; otherwise one process a core takes the next
run that nobody has made, on the CPU.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.jsonl import append
from benchmarks.machine import find_machine
from benchmarks.search.stacked import Scores, can_be_stacked, train_stack
from benchmarks.search.table import TABLES, Curve, CurveTable, TableName
from model.data.bundled_sample import load_sample
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
    table: Annotated[TableName, typer.Option(help="Table of all of CIFAR-10, or of the bundled sample.")] = "cifar10",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes side by side on a CPU, one thread each.")] = os.cpu_count()
    or 1,
    minutes: Annotated[float | None, typer.Option(help="Begin no run after so many.", show_default=False)] = None,
) -> None:
    """Train what the table lacks."""
    runtime, root = find_machine(device)
    ends = time.monotonic() + 60 * minutes if minutes else float("inf")
    grown = TABLES[table]
    if runtime.device.type == "cuda" and can_be_stacked(grown.train_config(0, 0)):
        _grow_in_stacks(grown, _images_of(grown, root).to(runtime.device), runtime, ends)
    else:
        _grow_by_processes(grown, root, workers, ends)


def stacks(table: CurveTable, runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Runs that can be trained side by side: of one batch size, and of latent sizes near each other."""
    configs = {run: table.train_config(*run) for run in runs}
    for size in sorted({config.batch_size for config in configs.values()}):
        of_size = [run for run in runs if configs[run].batch_size == size]
        of_size.sort(key=lambda run: configs[run].latent_dim)
        yield from (of_size[first : first + _SIDE_BY_SIDE] for first in range(0, len(of_size), _SIDE_BY_SIDE))


def train_side_by_side(table: CurveTable, runs: Sequence[Run], data: ImageData, runtime: Runtime) -> list[Curve]:
    """Train them in full, each until it diverges."""
    configs = [table.train_config(*run) for run in runs]
    rows: dict[Run, list[Scores]] = {run: [] for run in runs}
    for scores in train_stack(configs, data.train.images, data.validation.images, runtime):
        for run, row in zip(runs, scores, strict=True):
            if row is not None:
                rows[run].append(row)
    return [_curve(table, run, [row.__dict__ for row in of_run]) for run, of_run in rows.items()]


def train_one(table: CurveTable, run: Run, data: ImageData, runtime: Runtime) -> Curve:
    """Train one configuration in full, or until it diverges."""
    rows: list[dict[str, float]] = []
    before = time.process_time()
    try:
        for metrics in train(TrainState(table.train_config(*run), runtime), data):
            # Of this process alone, so that what else the machine does is not in it.
            after = time.process_time()
            rows.append({name: getattr(metrics, name) for name in ("val_bpd", "val_rate_nats", "val_mse")})
            rows[-1]["seconds"], before = after - before, after
    except Diverged:
        pass
    return _curve(table, run, rows)


def _images_of(table: CurveTable, root: Path) -> ImageData:
    return load_sample() if table.source == "sample" else load_cifar10(root)


def _grow_in_stacks(table: CurveTable, data: ImageData, runtime: Runtime, ends: float) -> None:
    while (missing := table.outstanding(table.read())) and time.monotonic() < ends:
        for curve in train_side_by_side(table, next(stacks(table, missing)), data, runtime):
            _add(table, curve)


def _grow_by_processes(table: CurveTable, root: Path, workers: int, ends: float) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running: dict[Run, subprocess.Popen[bytes]] = {}
    while True:
        if any(process.poll() for process in running.values()):
            raise typer.Exit(1)
        running = {run: process for run, process in running.items() if process.poll() is None}
        missing = [run for run in table.outstanding(table.read()) if run not in running]
        if not running and (not missing or time.monotonic() > ends):
            return
        if missing and len(running) < workers and time.monotonic() < ends:
            index, seed = missing[0]
            arguments = [table.name, str(index), str(seed), str(root)]
            command = [sys.executable, "-m", "benchmarks.search.grow", "one", *arguments]
            running[missing[0]] = subprocess.Popen(command, env=environment)
        else:
            time.sleep(0.2)


def _curve(table: CurveTable, run: Run, rows: Sequence[Mapping[str, float]]) -> Curve:
    config = table.train_config(*run)
    columns = (tuple(float(f"{row[name]:.6g}") for row in rows) for name in _COLUMNS)
    return Curve(*run, {name: getattr(config, name) for name in table.space}, *columns)


def _add(table: CurveTable, curve: Curve) -> None:
    append(table.path, curve.__dict__)
    last = f"{curve.val_bpd[-1]:.4f}" if curve.val_bpd else "diverged"
    print(f"{curve.index} seed {curve.seed}: {last} after {len(curve.val_bpd)} epochs", flush=True)


def _train_and_add(name: str, index: str, seed: str, root: str) -> None:
    table = TABLES[name]
    _add(table, train_one(table, (int(index), int(seed)), _images_of(table, Path(root)), resolve("cpu")))


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        _train_and_add(*sys.argv[2:])
    else:
        typer.run(main)
