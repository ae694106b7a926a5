"""Grow the table of learning curves: `python -m benchmarks.search.grow`. Give it again to go on.

One process a core, or a GPU; each takes the next run that nobody has made.
"""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.jsonl import append
from benchmarks.machine import find_machine
from benchmarks.search.table import N_IMAGES, TABLE, Curve, configuration, outstanding, read_table, train_config
from model.data import ImageData, load_cifar10
from model.runtime import Runtime, resolve
from model.train import Diverged, TrainState, train


def main(
    workers: Annotated[int, typer.Option(help="Processes side by side, one thread each.")] = os.cpu_count() or 1,
    minutes: Annotated[float | None, typer.Option(help="Begin no run after so many.", show_default=False)] = None,
) -> None:
    """Train what the table lacks."""
    _, root = find_machine("cpu")
    ends = time.monotonic() + 60 * minutes if minutes else float("inf")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running: dict[tuple[int, int], subprocess.Popen[bytes]] = {}
    while True:
        failed = [run for run, process in running.items() if process.poll()]
        if failed:
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


def train_one(index: int, seed: int, data: ImageData, runtime: Runtime) -> Curve:
    """Train one configuration in full, or until it diverges."""
    config = train_config(index, seed)
    rows: list[dict[str, float]] = []
    before = time.process_time()
    try:
        for metrics in train(TrainState(config, runtime), data):
            # Of this process alone, so that what else the machine does is not in it.
            after = time.process_time()
            rows.append({name: getattr(metrics, name) for name in ("val_bpd", "val_rate_nats", "val_mse")})
            rows[-1]["seconds"], before = after - before, after
    except Diverged:
        pass
    columns = ("val_bpd", "val_rate_nats", "val_mse", "seconds")
    rounded = {name: tuple(float(f"{row[name]:.6g}") for row in rows) for name in columns}
    values: dict[str, Any] = {name: getattr(config, name) for name in configuration(index)}
    return Curve(index, seed, values, **rounded)


def _first_images(data: ImageData) -> ImageData:
    train_split = replace(data.train, images=data.train.images[:N_IMAGES], labels=data.train.labels[:N_IMAGES])
    return replace(data, train=train_split)


def _one(index: str, seed: str, root: str) -> None:
    curve = train_one(int(index), int(seed), _first_images(load_cifar10(Path(root))), resolve("cpu"))
    append(TABLE, curve.__dict__)
    last = f"{curve.val_bpd[-1]:.4f}" if curve.val_bpd else "diverged"
    print(f"{index} seed {seed}: {last} after {len(curve.val_bpd)} epochs, {sum(curve.seconds):.0f} s", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        _one(*sys.argv[2:])
    else:
        typer.run(main)
