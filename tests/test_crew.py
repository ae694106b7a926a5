"""How GPUs and cores are dealt among workers, as far as a machine without a GPU can tell."""

import pytest
import torch

from hpo.crew import shared_out
from model.runtime import Runtime


def devices(monkeypatch: pytest.MonkeyPatch, asked: str, n_workers: int) -> list[str]:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    runtime = Runtime(torch.device(asked), "bfloat16", compiled=True)
    shares = [shared_out(runtime, index) for index in range(n_workers)]
    assert all((share.precision, share.compiled) == ("bfloat16", True) for share in shares)
    return [str(share.device) for share in shares]


def test_gpus_are_dealt_round_robin(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices(monkeypatch, "cuda", 5) == ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]


@pytest.mark.parametrize("asked", ["cuda:1", "cpu"])
def test_a_device_that_was_named_is_every_workers(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices(monkeypatch, asked, 3) == [asked] * 3
