"""The machine a run meets."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model.runtime import Runtime, compile_model, resolve, why_uncompiled
from model.vae import ConvVAE

CUDA = torch.device("cuda")


def test_a_model_is_compiled_for_cuda_alone() -> None:
    assert why_uncompiled(torch.device("cpu")) == "compilation is for CUDA; on cpu the model runs uncompiled"
    assert not resolve("cpu", compile_trunks=True).compiled


def test_without_a_compiler_the_reason_has_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.runtime.shutil.which", lambda _: None)
    assert "apt install gcc" in str(why_uncompiled(CUDA))
    monkeypatch.setattr("model.runtime.shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("model.runtime.sysconfig.get_paths", lambda: {"include": "/nowhere"})
    assert "apt install python3-dev" in str(why_uncompiled(CUDA))


def test_both_trunks_are_compiled_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **_: compiled.append(self))
    model = ConvVAE(3, (2, 3, 4, 5))
    compile_model(model)
    assert compiled == [model.encoder.trunk, model.decoder.trunk]


def test_a_runtime_describes_itself() -> None:
    assert Runtime(torch.device("cpu"), "float32").describe() == "CPU, float32"


_FAULTS = """
import resource, sys, torch
from model.runtime import prepare_process
if sys.argv[1] == "prepared":
    prepare_process()
def fault_count():
    for _ in range(20):
        held = [torch.ones(5_000_000) for _ in range(6)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
fault_count()
before = fault_count()
print(fault_count() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_a_prepared_process_keeps_its_memory_from_step_to_step() -> None:
    def faults(how: str) -> int:
        command = [sys.executable, "-c", _FAULTS, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("prepared") < 1000 < faults("unprepared")
