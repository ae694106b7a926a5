"""Device of a run: CPU or GPU, precision, compilation, memory, and seeded generators."""

import ctypes
import gc
import os
import re
import shutil
import sysconfig
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from model.errors import DeviceError

# Texts in the errors of PyTorch's CPU allocator, of MPS, and of the CUDA libraries.
_OUT_OF_MEMORY_TEXTS = ("DefaultCPUAllocator", "out of memory", "ALLOC_FAILED")
# Option numbers from glibc's malloc.h. Older versions refuse a larger threshold for separate mappings.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MAPPED_BYTES, _KEPT_BYTES = 2**25, 2**30
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Runtime:
    """Device, precision and compilation of a model."""

    device: torch.device
    precision: Precision
    compiled: bool = False

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which a forward pass uses this precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def describe(self) -> str:
        """Describe the runtime in one phrase: `CPU, bfloat16`, or `NVIDIA H100, bfloat16, compiled`."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type.upper()
        return f"{name}, {self.precision}{', compiled' if self.compiled else ''}"


def resolve(device: str = "auto", precision: str = "auto", compile_trunks: bool = False) -> Runtime:
    """Choose device, precision and compilation on this machine, and prepare the process for training.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `auto` prefers CUDA, then MPS.
        precision: `auto`, `float32` or `bfloat16`; `auto` takes bfloat16 where the device computes in it natively.
        compile_trunks: compile the convolutional trunks where that is possible; see `why_uncompiled`.

    Raises: DeviceError: the name is not a device's, this machine has no such device, or the device has no bfloat16.
    """
    torch_device = _resolve_device(device)
    prepare_process()
    compiled = compile_trunks and why_uncompiled(torch_device) is None
    return Runtime(torch_device, _resolve_precision(precision, torch_device), compiled)


def prepare_process() -> None:
    """Configure a process that trains: repeatable GPU kernels, and memory that is reused from step to step."""
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    # Otherwise the system would zero each page of a large tensor again at every step. Only glibc has this function.
    set_option = _from_c_library("mallopt")
    if set_option is not None and set_option(_M_MMAP_THRESHOLD, _MAPPED_BYTES):
        set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def why_uncompiled(device: torch.device) -> str | None:
    """Return the reason why a model is not compiled on this device, with a remedy if any; None if it is compiled."""
    if device.type != "cuda":
        return f"compilation is for CUDA; on {device.type} the model runs uncompiled"
    # The compiler builds only the launchers of the kernels, in C.
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        return "no C compiler was found (Debian, Ubuntu: sudo apt install gcc), so the model runs uncompiled"
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        return "Python.h was not found (Debian, Ubuntu: sudo apt install python3-dev), so the model runs uncompiled"
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Return True for a failed allocation: Python's error, CUDA's, or a RuntimeError known by its text."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY_TEXTS)


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has finished all work that was launched on it; do nothing on a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def release_memory(device: torch.device) -> None:
    """Return the memory of deleted models to the device and to the system, for other processes."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if (trim := _from_c_library("malloc_trim")) is not None:
        trim(0)


def seeded_generator(*seeds: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Create a generator from a tuple of seeds: different tuples of the same length give independent streams."""
    import numpy as np

    state = np.random.SeedSequence(seeds).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0]) >> 1)


def _from_c_library(name: str) -> Callable[..., int] | None:
    """Return a function of the C library, or None if it has no function of this name."""
    return getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None


def _resolve_device(name: str) -> torch.device:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise DeviceError(f"device: must be auto, cpu, cuda, cuda:N or mps, got {name!r}")
    if name == "auto":
        return torch.device(_best_device())
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device: {name} was requested, but PyTorch sees {torch.cuda.device_count()} CUDA GPUs here; "
            "use --device auto or cpu (make: DEVICE=cpu)"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device: mps was requested, but this machine has none; use --device auto or cpu")
    return device


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _resolve_precision(name: str, device: torch.device) -> Precision:
    native = _has_native_bfloat16(device)
    if name == "auto":
        return "bfloat16" if native else "float32"
    if name == "bfloat16" and not native:
        raise DeviceError(f"precision: {device.type} has no native bfloat16 here; use auto or float32")
    return "bfloat16" if name == "bfloat16" else "float32"


def _has_native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # ATEN_CPU_CAPABILITY=avx2 makes PyTorch use less than the processor has.
    if device.type != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX2":
        return False
    cpuinfo = Path("/proc/cpuinfo")
    flags = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
    # x86 lists avx512_bf16 or amx_bf16, 64-bit Arm lists bf16.
    return not flags.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})
