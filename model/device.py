"""The machine a run meets: device, precision, compilation, seeds."""

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

# In errors of PyTorch's CPU allocator, of MPS, and of the CUDA libraries.
_ALLOCATION_FAILED = ("DefaultCPUAllocator", "out of memory", "ALLOC_FAILED")
# From glibc's malloc.h. An older one refuses a larger threshold for a mapping of its own.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MAPPED_BYTES, _KEPT_BYTES = 2**25, 2**30
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Runtime:
    """Where and how a model runs."""

    device: torch.device
    precision: Precision
    compiled: bool = False

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which a forward pass takes this precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def describe(self) -> str:
        """One phrase for people: `CPU, bfloat16`, or `NVIDIA H100, bfloat16, compiled`."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type.upper()
        return f"{name}, {self.precision}{', compiled' if self.compiled else ''}"


def resolve(device: str = "auto", precision: str = "auto", compile_trunks: bool = False) -> Runtime:
    """Turn what was asked for into what this machine has, and prepare the process for it.

    Raises: DeviceError: the device is unknown or absent, or has no bfloat16 where it was asked for by name.
    """
    chosen = _resolve_device(device)
    prepare_process()
    return Runtime(chosen, _resolve_precision(precision, chosen), compile_trunks and why_uncompiled(chosen) is None)


def prepare_process() -> None:
    """Set what every process that trains needs: repeatable kernels, and memory that is kept from step to step."""
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    # Else each of its pages would be zeroed again at every step. Other C libraries than glibc have no such function.
    set_option = _from_c_library("mallopt")
    if set_option is not None and set_option(_M_MMAP_THRESHOLD, _MAPPED_BYTES):
        set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def why_uncompiled(device: torch.device) -> str | None:
    """Why a model is left uncompiled on this device, and the remedy where there is one; None where it is compiled."""
    if device.type != "cuda":
        return f"compilation is for CUDA; on {device.type} the model runs uncompiled"
    # Only the launchers of the kernels are compiled here, in C.
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        return "no C compiler was found (Debian, Ubuntu: sudo apt install gcc), so the model runs uncompiled"
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        return "Python.h was not found (Debian, Ubuntu: sudo apt install python3-dev), so the model runs uncompiled"
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: Python's own error, CUDA's, or one that only its text tells."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _ALLOCATION_FAILED)


def synchronize(device: torch.device) -> None:
    """Wait for what was launched on a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def release_memory(device: torch.device) -> None:
    """Give back what a model that is gone has left behind, so that others can have it."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if (trim := _from_c_library("malloc_trim")) is not None:
        trim(0)


def seeded_generator(*seeds: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for a tuple of seeds: different tuples of one length give unrelated streams."""
    import numpy as np

    words = np.random.SeedSequence(seeds).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(words[0]) >> 1)


def _from_c_library(name: str) -> Callable[..., int] | None:
    """A function of the C library, or None where it has no such one."""
    return getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None


def _resolve_device(name: str) -> torch.device:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise DeviceError(f"device: must be auto, cpu, cuda, cuda:N or mps, got {name!r}")
    if name == "auto":
        return torch.device(_best_device())
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device: {name} was asked for, but PyTorch sees {torch.cuda.device_count()} CUDA GPUs here; "
            "use --device auto or cpu (make: DEVICE=cpu)"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device: mps was asked for, but this machine has none; use --device auto or cpu")
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
    if device.type != "cpu":
        return False
    cpuinfo = Path("/proc/cpuinfo")
    words = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
    # x86 lists avx512_bf16 or amx_bf16, 64-bit Arm lists bf16.
    return not words.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})
