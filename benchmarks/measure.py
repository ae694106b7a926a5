"""One measurement in a process of its own, so that neither memory nor start-up is another's.

`python -m benchmarks.measure KIND BATCH_SIZE DEVICE ROOT N_IMAGES STARTED`: ROOT holds cifar-10-batches-py, N_IMAGES
warm up and as many are timed, STARTED is `time.time()`. Prints one line of JSON.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

# torch is imported by what needs it: how long that takes is part of what is measured.
if TYPE_CHECKING:
    import torch

    from model.device import Runtime

LATENT_DIM = 128
# The default, which the textbook's loop trains as well.
ARCHITECTURE: Literal["linear_skip"] = "linear_skip"
Kind = Literal["textbook", "ours", "side_by_side", "convolutions", "own_convolutions", "matrix_products"]


@dataclass(frozen=True)
class Measurement:
    """`first_step_s` from the process's start to the end of the first step; None where nothing is trained."""

    images_per_second: float
    first_step_s: float | None
    peak_memory_bytes: int


def measure(kind: Kind, batch_size: int, device: str, root: Path, n_images: int, started: float) -> Measurement:
    """Measure on `device` (`cpu`, `cuda:0`) with CIFAR-10 from `root`; `started` by `time.time()`."""
    import torch

    where = torch.device(device)
    first_step_s = None
    if kind == "textbook":
        # Without `resolve`: how we set up a process is not the textbook's.
        images_per_second, first_step_s = _textbook(batch_size, where, root, n_images, started)
    else:
        from model.device import resolve

        runtime = resolve(device)
        if kind == "ours":
            images_per_second, first_step_s = _ours(batch_size, runtime, root, n_images, started)
        elif kind == "matrix_products":
            from benchmarks.ceilings import matmul_peak, training_flops

            images_per_second = matmul_peak(runtime) / training_flops(LATENT_DIM)
        else:
            images_per_second = _convolutions(batch_size, runtime, n_images, own=kind == "own_convolutions")
    return Measurement(images_per_second, first_step_s, _peak_memory(where))


def _textbook(
    batch_size: int, device: "torch.device", root: Path, n_images: int, started: float
) -> tuple[float, float]:
    from benchmarks.textbook import TextbookSkipVAE, textbook_images, train_textbook

    seen = train_textbook(TextbookSkipVAE(LATENT_DIM).to(device), textbook_images(root), batch_size)
    next(seen)
    first_step_s = time.time() - started
    return _rate(seen, n_images), first_step_s


def _rate(seen: Iterator[int], n_images: int) -> float:
    """Images a second, from numbers of images seen: the first `n_images` warm up, the next are timed."""
    before = next(n for n in seen if n >= n_images)
    began = time.perf_counter()
    after = next(n for n in seen if n >= before + n_images)
    return (after - before) / (time.perf_counter() - began)


def _ours(batch_size: int, runtime: "Runtime", root: Path, n_images: int, started: float) -> tuple[float, float]:
    from model.config import TrainConfig
    from model.data.cifar10 import load_cifar10
    from model.device import synchronize
    from model.training.train_state import TrainState
    from model.training.training_loop import train

    data = load_cifar10(root).to(runtime.device)
    share = min(0.5, n_images / len(data.train))
    # Without flips, since the textbook's loop has none.
    config = TrainConfig(
        latent_dim=LATENT_DIM,
        batch_size=batch_size,
        epochs=1,
        report_every=share,
        architecture=ARCHITECTURE,
        horizontal_flip=False,
    )
    state = TrainState(config, runtime)
    first: list[float] = []

    def stepped(*_: object) -> None:
        synchronize(runtime.device)
        first.append(time.time() - started)
        hook.remove()

    hook = state.optimizer.register_step_post_hook(stepped)
    reports = train(state, data)
    next(reports)
    return next(reports).images_per_second, first[0]


def _convolutions(batch_size: int, runtime: "Runtime", n_images: int, *, own: bool) -> float:
    from benchmarks.ceilings import convolutions
    from model.device import synchronize

    run = convolutions(batch_size, runtime, own=own)

    def time_of(n_passes: int) -> float:
        began = time.perf_counter()
        for _ in range(n_passes):
            run()
        synchronize(runtime.device)
        return time.perf_counter() - began

    n_passes = -(-n_images // batch_size)
    time_of(n_passes)
    return n_passes * batch_size / time_of(n_passes)


def _peak_memory(device: "torch.device") -> int:
    """On a GPU what PyTorch allocated there; else the most that was resident of this process alone."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Unlike getrusage's, it does not begin with the parent's.
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _main() -> None:
    import json
    import signal
    import sys

    # Ctrl-C reaches every process of the terminal; only the first has something to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    kind, batch_size, device, root, n_images, started = sys.argv[1:]
    found = measure(kind, int(batch_size), device, Path(root), int(n_images), float(started))  # type: ignore[arg-type]
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    _main()
