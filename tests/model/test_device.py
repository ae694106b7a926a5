"""Device of a run: precision, compilation and memory."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model.device import Runtime, prepare_process, resolve, why_uncompiled

CUDA = torch.device("cuda")


def test_a_model_is_compiled_for_cuda_alone() -> None:
    assert why_uncompiled(torch.device("cpu")) == "compilation is for CUDA; on cpu the model runs uncompiled"
    assert not resolve("cpu", compile_trunks=True).compiled


def test_without_a_compiler_the_reason_has_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.device.shutil.which", lambda _: None)
    assert "apt install gcc" in str(why_uncompiled(CUDA))
    monkeypatch.setattr("model.device.shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("model.device.sysconfig.get_paths", lambda: {"include": "/nowhere"})
    assert "apt install python3-dev" in str(why_uncompiled(CUDA))


def test_a_runtime_describes_itself() -> None:
    assert Runtime(torch.device("cpu"), "float32").describe() == "CPU, float32"


@pytest.mark.parametrize(
    ("flags", "capability", "precision"),
    [
        ("avx2 avx512_bf16", "AVX512", "bfloat16"),
        ("avx2 avx512_bf16", "AVX2", "float32"),
        ("avx2", "AVX2", "float32"),
        ("bf16", "DEFAULT", "bfloat16"),
    ],
)
def test_a_cpu_computes_in_bfloat16_if_it_can_and_pytorch_may(
    flags: str, capability: str, precision: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags : {flags}\n")
    monkeypatch.setattr("model.device.Path", lambda _: cpuinfo)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    assert resolve("cpu").precision == precision


# Prints, for an unprepared and a prepared process, glibc's counts after an allocation of 30 MB: bytes in separate
# mappings, and free bytes that the process keeps. Forks, since importing torch takes seconds.
_ALLOCATE = """
import ctypes, os, torch
from model.device import prepare_process
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]
info = ctypes.CDLL(None).mallinfo2
info.restype = Info
for prepared in (False, True):
    if os.fork():
        os.wait()
        continue
    if prepared:
        prepare_process()
    before = info()
    tensor = torch.empty(7_500_000)
    mapped = info().hblkhd - before.hblkhd
    del tensor
    print(mapped, info().fordblks - before.fordblks, flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33 or newer")
def test_a_prepared_process_reuses_the_memory_of_large_tensors() -> None:
    done = subprocess.run([sys.executable, "-c", _ALLOCATE], capture_output=True, text=True, check=True)
    unprepared, prepared = ([int(count) for count in line.split()] for line in done.stdout.splitlines())
    for (mapped, kept), is_prepared in ((unprepared, False), (prepared, True)):
        assert (mapped >= 30e6, kept >= 25e6) == (not is_prepared, is_prepared)


@pytest.mark.parametrize(("accepts", "options"), [(1, [-3, -1]), (0, [-3])])
def test_the_second_option_of_the_c_library_is_set_only_if_it_accepts_the_first(
    accepts: int, options: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def mallopt(option: int, _: int) -> int:
        calls.append(option)
        return accepts

    monkeypatch.setattr("model.device._from_c_library", {"mallopt": mallopt}.get)
    prepare_process()
    assert calls == options
