"""Description of the machine that is measured.

`ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2` before a command holds PyTorch to what a processor with AVX2 alone
has: its kind then ends with `_as_avx2`.
"""

import os
import platform
from pathlib import Path
from typing import Any

import typer

from model.device import Runtime

# Of PyTorch's own kernels, and of oneDNN's.
_AVX2_ONLY = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


def find_machine(device: str) -> tuple[Runtime, Path]:
    """The runtime, and the folder of CIFAR-10, fetched where it is missing; exits with one line where either is not."""
    from hpo.config.dataset_with_fallback import ROOT_VARIABLE, cifar10_root, load_images
    from hpo.config.schema import Data
    from model.device import resolve
    from model.errors import DataError, DeviceError, UserError

    try:
        runtime = resolve(device)
        if runtime.device.type == "mps":
            raise DeviceError("device: the benchmark is for cpu and cuda; use --device cpu (make: DEVICE=cpu)")
        if os.environ.keys() & _AVX2_ONLY.keys() and _AVX2_ONLY.items() - os.environ.items():
            both = " ".join(f"{name}={value}" for name, value in _AVX2_ONLY.items())
            raise DeviceError(f"one half of PyTorch would be held to AVX2, the other not; set {both}")
        _, reason = load_images(Data(source="cifar10"))
        if reason:
            wanted = f"set {ROOT_VARIABLE} to the folder that holds cifar-10-batches-py"
            raise DataError(f"{reason}, and the sample is too small to be timed on; {wanted}")
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    return runtime, cifar10_root()


def describe(runtime: Runtime) -> dict[str, Any]:
    """Facts about the machine that the numbers depend on."""
    import torch

    name = torch.cuda.get_device_name(runtime.device) if runtime.device.type == "cuda" else _processor()
    return {
        "device": name,
        "kind": _kind(runtime.device.type),
        "threads": torch.get_num_threads(),
        "precision": runtime.precision,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _kind(device: str) -> str:
    """The kind of machine, by what decides how fast it trains: each has results of its own."""
    if device != "cpu":
        return device
    flags = set(" ".join(_cpuinfo()).split())
    kind = next((kind for kind in ("amx_bf16", "avx512_bf16", "avx512f") if kind in flags), None)
    if kind and _AVX2_ONLY.items() <= os.environ.items():
        return f"{kind}_as_avx2"
    return kind or ("avx2" if "avx2" in flags else platform.machine())


def _cpuinfo() -> list[str]:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.read_text().splitlines() if cpuinfo.exists() else []


def _processor() -> str:
    lines = _cpuinfo()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
