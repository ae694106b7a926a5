"""Time an epoch on one core: `CIFAR10_ROOT=… python -m benchmarks.search.seconds`. Give it again to go on.

What a search costs is told for the machine that most people have, whatever the curves were trained on.
"""

import time
from dataclasses import replace
from itertools import product
from typing import Any

import torch

from benchmarks.jsonl import append, read
from benchmarks.machine import describe, find_machine
from benchmarks.search.epoch_seconds import SECONDS
from benchmarks.search.table import CIFAR10
from model.data.cifar10 import load_cifar10
from model.training.train_state import TrainState
from model.training.training_loop import train

_BATCH_SIZES, _LATENT_DIMS = (16, 32, 64, 128), (32, 128, 512)


def main() -> None:
    """Train one epoch of each size that has not been timed."""
    runtime, root = find_machine("cpu")
    torch.set_num_threads(1)
    data = load_cifar10(root)
    done = {(line["batch_size"], line["latent_dim"]) for line in read(SECONDS)}
    for batch_size, latent_dim in product(_BATCH_SIZES, _LATENT_DIMS):
        if (batch_size, latent_dim) in done:
            continue
        config = replace(CIFAR10.train_config(0, 0), batch_size=batch_size, latent_dim=latent_dim)
        before = time.process_time()
        next(train(TrainState(config, runtime), data))
        line: dict[str, Any] = {"batch_size": batch_size, "latent_dim": latent_dim}
        append(SECONDS, line | {"seconds": round(time.process_time() - before, 3)} | describe(runtime))
        print(line, flush=True)


if __name__ == "__main__":
    main()
