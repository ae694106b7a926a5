"""The machine a run meets."""

import ctypes
import subprocess
import sys

import pytest
import torch

from model.device import Runtime, prepare_process, resolve, why_uncompiled
from model.network.vae import ConvVAE, compile_model

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


def test_both_trunks_are_compiled_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **_: compiled.append(self))
    model = ConvVAE(3, (2, 3, 4, 5))
    compile_model(model)
    assert compiled == [model.encoder.trunk, model.decoder.trunk]


def test_a_runtime_describes_itself() -> None:
    assert Runtime(torch.device("cpu"), "float32").describe() == "CPU, float32"


# What glibc says of itself: bytes in mappings of their own, and bytes that are free and kept.
_ALLOCATE = """
import ctypes, sys, torch
from model.device import prepare_process
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]
info = ctypes.CDLL(None).mallinfo2
info.restype = Info
if sys.argv[1] == "prepared":
    prepare_process()
before = info()
held = torch.ones(7_500_000)
mapped = info().hblkhd - before.hblkhd
del held
print(mapped, info().fordblks - before.fordblks)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33 or newer")
@pytest.mark.parametrize("prepared", [False, True])
def test_a_prepared_process_has_large_tensors_in_memory_that_it_keeps(prepared: bool) -> None:
    command = [sys.executable, "-c", _ALLOCATE, "prepared" if prepared else "as it is"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    mapped, kept = map(int, done.stdout.split())
    assert (mapped >= 30e6, kept >= 25e6) == (not prepared, prepared)


@pytest.mark.parametrize(("accepts", "options"), [(1, [-3, -1]), (0, [-3])])
def test_a_c_library_that_refuses_the_first_option_is_not_given_the_second(
    accepts: int, options: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []

    def mallopt(option: int, _: int) -> int:
        given.append(option)
        return accepts

    monkeypatch.setattr("model.device._from_c_library", {"mallopt": mallopt}.get)
    prepare_process()
    assert given == options
