"""Files of tensors: no code in them runs."""

from pathlib import Path

import pytest
import torch

from model.training.tensor_file import CheckpointError, config_in, read_tensors, write_tensors


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


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    contents = {"config": {"beta": 2.0}, "model": {"weight": torch.arange(3)}}
    write_tensors(tmp_path / "model.pt", contents)
    read = read_tensors(tmp_path / "model.pt")
    assert read.keys() == contents.keys() and read["config"] == contents["config"]
    assert read["model"]["weight"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("contents", [[1.0], {"model": {}}, {"config": {}}])
def test_a_file_without_a_configuration_and_a_model_is_no_saved_model(tmp_path: Path, contents: object) -> None:
    path = tmp_path / "model.pt"
    torch.save(contents, path)
    with pytest.raises(CheckpointError) as refusal:
        read_tensors(path)
    assert str(refusal.value) == f"{path}: does not hold a saved model"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as refusal:
        read_tensors(tmp_path / "model.pt")
    assert str(refusal.value) == f"{tmp_path / 'model.pt'}: does not exist"


def test_a_file_that_cannot_be_read_is_named_with_the_first_line_of_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.pt"
    write_tensors(path, {"config": {}, "model": {}})

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("damaged\nC++ stack:\n...")

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(CheckpointError) as refusal:
        read_tensors(path)
    assert str(refusal.value) == f"{path}: cannot be read as a saved model (damaged)"


@pytest.mark.parametrize("config", [None, {"unknown": 1, "channels": 3}])
def test_a_configuration_of_another_form_is_refused_by_the_name_of_its_file(tmp_path: Path, config: object) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(CheckpointError) as refusal:
        config_in(path, {"config": config})
    assert str(refusal.value).startswith(f"{path}: does not hold the configuration of its training (")
