"""Files of tensors: no code in them runs."""

from pathlib import Path

import pytest
import torch

from model.training.tensor_file import CheckpointError, read_tensors


class CreatesFile:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_file_does_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "model.pt", tmp_path / "trace"
    torch.save({"config": CreatesFile(trace), "model": {}}, path)
    with pytest.raises(CheckpointError, match="holds more than tensors and plain values"):
        read_tensors(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists(), "unpickling the file does run code"
