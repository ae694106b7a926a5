"""Our training loop against the textbook's and against what the machine could do: `make bench`.

Every loop and ceiling is measured in a process of its own, and they take turns: what slows the machine down slows all
of them.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import tables
from benchmarks.machine import describe, find_machine
from benchmarks.measure import ARCHITECTURE, LATENT_DIM, Kind, Measurement

BATCH_SIZES = (64, 256)
KINDS: tuple[Kind, ...] = ("textbook", "ours", "side_by_side", "convolutions", "own_convolutions", "matrix_products")
N_IMAGES = 9000
N_ON_A_GPU = 4
Rounds = list[dict[Kind, Measurement]]


@dataclass(frozen=True)
class Row:
    """Medians over the rounds; shares and the ratio are medians of what they were in each round.

    The convolution ceiling is PyTorch's own convolutions in our precision; `own`, the model's layers as they are. Side
    by side, as many of our loops train at once as there are threads, with one each (on a GPU: N_ON_A_GPU).
    """

    batch_size: int
    textbook_images_per_second: float
    ours_images_per_second: float
    ratio: float
    ratio_low: float
    ratio_high: float
    convolution_ceiling_images_per_second: float
    share_of_convolution_ceiling: float
    own_convolution_ceiling_images_per_second: float
    share_of_own_convolution_ceiling: float
    share_of_matmul_peak: float
    side_by_side_images_per_second: float
    side_by_side_ratio: float
    textbook_peak_memory_bytes: float
    ours_peak_memory_bytes: float
    textbook_first_step_s: float
    ours_first_step_s: float


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    repetitions: Annotated[int, typer.Option(min=1, help="Rounds, in each of which everything is measured once.")] = 5,
) -> None:
    """Measure images a second, and write them to benchmarks/results/ and benchmarks/RESULTS.md."""
    runtime, root = find_machine(device)
    target = Target(str(runtime.device), root)
    rows = [
        row(batch_size, [_round(batch_size, target, number) for number in range(1, repetitions + 1)])
        for batch_size in BATCH_SIZES
    ]
    facts = describe(runtime) | {"repetitions": repetitions, "latent_dim": LATENT_DIM, "architecture": ARCHITECTURE}
    tables.write("throughput", facts, rows)
    typer.echo(tables.throughput(facts | {"rows": [asdict(each) for each in rows]}))
    typer.echo(f"Next: open {tables.PAGE}")


@dataclass(frozen=True)
class Target:
    """Device and CIFAR-10 folder of all measurements."""

    device: str
    root: Path


def row(batch_size: int, rounds: Rounds) -> Row:
    """A batch size's measurements in one."""

    def speed(kind: Kind) -> float:
        return statistics.median(each[kind].images_per_second for each in rounds)

    def shares(kind: Kind) -> list[float]:
        return [each["ours"].images_per_second / each[kind].images_per_second for each in rounds]

    def median(kind: Kind, name: str) -> float:
        return float(statistics.median(getattr(each[kind], name) for each in rounds))

    return Row(
        batch_size=batch_size,
        textbook_images_per_second=speed("textbook"),
        ours_images_per_second=speed("ours"),
        ratio=statistics.median(shares("textbook")),
        ratio_low=min(shares("textbook")),
        ratio_high=max(shares("textbook")),
        convolution_ceiling_images_per_second=speed("convolutions"),
        share_of_convolution_ceiling=statistics.median(shares("convolutions")),
        own_convolution_ceiling_images_per_second=speed("own_convolutions"),
        share_of_own_convolution_ceiling=statistics.median(shares("own_convolutions")),
        share_of_matmul_peak=statistics.median(shares("matrix_products")),
        side_by_side_images_per_second=speed("side_by_side"),
        side_by_side_ratio=1 / statistics.median(shares("side_by_side")),
        textbook_peak_memory_bytes=median("textbook", "peak_memory_bytes"),
        ours_peak_memory_bytes=median("ours", "peak_memory_bytes"),
        textbook_first_step_s=median("textbook", "first_step_s"),
        ours_first_step_s=median("ours", "first_step_s"),
    )


def _round(batch_size: int, target: Target, number: int) -> dict[Kind, Measurement]:
    found: dict[Kind, Measurement] = {}
    for kind in KINDS:
        found[kind] = (
            _side_by_side(batch_size, target) if kind == "side_by_side" else _in_a_process(kind, batch_size, target)
        )
        speed = found[kind].images_per_second
        typer.echo(f"batch {batch_size}, round {number}: {kind.replace('_', ' ')} {speed:,.0f} images/s")
    return found


def _in_a_process(kind: Kind, batch_size: int, target: Target) -> Measurement:
    (measurement,) = _in_processes(1, kind, batch_size, target, os.environ)
    return measurement


def _side_by_side(batch_size: int, target: Target) -> Measurement:
    """Time all loops side by side, each on its own; also the first step of the last one, and the memory of all."""
    import torch

    n_processes = torch.get_num_threads() if target.device == "cpu" else N_ON_A_GPU
    each = _in_processes(n_processes, "ours", batch_size, target, os.environ | {"OMP_NUM_THREADS": "1"})
    return Measurement(
        sum(loop.images_per_second for loop in each),
        max(loop.first_step_s or 0.0 for loop in each),
        sum(loop.peak_memory_bytes for loop in each),
    )


def _in_processes(
    n_processes: int, kind: Kind, batch_size: int, target: Target, environment: Mapping[str, str]
) -> list[Measurement]:
    arguments = [kind, str(batch_size), target.device, str(target.root), str(N_IMAGES)]
    command = [sys.executable, "-m", "benchmarks.measure", *arguments]
    settings: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True, "env": environment}
    running = [subprocess.Popen([*command, str(time.time())], **settings) for _ in range(n_processes)]
    outputs = [process.communicate()[0] for process in running]
    for process in running:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
    return [Measurement(**json.loads(output.splitlines()[-1])) for output in outputs]


if __name__ == "__main__":
    typer.run(main)
