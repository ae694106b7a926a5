"""Files of a run: complete, verified when read, and refused with a message that names the file."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.data.images import ImageData
from model.device import Runtime
from model.scoring.evaluation import evaluate
from model.training.checkpoint import load_state, resume_or_start, save_state
from model.training.initialization import untrained_model
from model.training.model_file import read_model, save_model
from model.training.tensor_file import CheckpointError, read_tensors, write_tensors
from model.training.train_state import TrainState
from model.training.training_loop import train
from tests.model.conftest import SMALL, SmallRun


@pytest.fixture(scope="module")
def saved(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A checkpoint of the untrained SMALL, with one row of metrics."""
    path = tmp_path_factory.mktemp("saved") / "state.pt"
    save_state(path, TrainState(SMALL, runtime), [{"val_bpd": 7.0}])
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, saved: bytes) -> Path:
    """A file of one test with that checkpoint."""
    path = tmp_path / "state.pt"
    path.write_bytes(saved)
    return path


def test_a_truncated_checkpoint_is_refused_by_its_name(path: Path, runtime: Runtime) -> None:
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"state\.pt"):
        load_state(path, SMALL, runtime)


def test_a_checkpoint_of_other_hyperparameters_is_refused(path: Path, runtime: Runtime) -> None:
    with pytest.raises(CheckpointError, match="other hyperparameters"):
        load_state(path, replace(SMALL, beta=2.0), runtime)


def test_a_checkpoint_of_another_device_or_precision_is_refused(path: Path, runtime: Runtime) -> None:
    with pytest.raises(CheckpointError, match="written on cpu, float32, this is cpu, bfloat16"):
        load_state(path, SMALL, Runtime(runtime.device, "bfloat16"))


@pytest.mark.parametrize("seed", range(40))
def test_a_checkpoint_with_damaged_bytes_is_named_or_harmless(path: Path, runtime: Runtime, seed: int) -> None:
    contents, chance = bytearray(path.read_bytes()), random.Random(seed)
    # For every second seed in the pickled structure, where damage causes errors of every kind.
    at = chance.randrange(3000 if seed % 2 else len(contents) - 64)
    contents[at : at + chance.randint(1, 64)] = chance.randbytes(chance.randint(1, 64))
    path.write_bytes(contents)
    try:
        loaded = load_state(path, SMALL, runtime)
    except CheckpointError as error:
        assert str(path) in str(error)
    else:
        assert loaded.history == [{"val_bpd": 7.0}]
        weights = loaded.state.model.state_dict()
        for name, value in untrained_model(SMALL).state_dict().items():
            assert torch.equal(weights[name], value)


def test_a_saved_model_is_no_state_to_resume_from(runtime: Runtime, tmp_path: Path, small_run: SmallRun) -> None:
    save_model(tmp_path / "model.pt", small_run.state.model, 0.1, SMALL)
    with pytest.raises(CheckpointError, match="holds only a model, not the state of a run"):
        load_state(tmp_path / "model.pt", SMALL, runtime)


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"config": None}, "does not hold the configuration of its training"),
        ({"model": {}}, "does not hold a state of this model (Error(s) in loading state_dict"),
        ({"noise": torch.zeros(3)}, "does not hold a state of this model ("),
    ],
)
def test_a_checkpoint_with_faulty_contents_is_refused_by_its_name(
    path: Path, runtime: Runtime, fault: dict[str, object], complaint: str
) -> None:
    write_tensors(path, read_tensors(path) | fault)
    with pytest.raises(CheckpointError) as refusal:
        load_state(path, SMALL, runtime)
    assert str(refusal.value).startswith(f"{path}: {complaint}")


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"config": None}, "does not hold the configuration of its training"),
        ({"model": {}}, "does not hold a saved model (Error(s) in loading state_dict"),
        ({"sigma": "wide"}, "does not hold a saved model ("),
    ],
)
def test_a_model_file_with_faulty_contents_is_refused_by_its_name(
    tmp_path: Path, fault: dict[str, object], complaint: str
) -> None:
    path = tmp_path / "model.pt"
    save_model(path, untrained_model(SMALL), 0.1, SMALL)
    write_tensors(path, read_tensors(path) | fault)
    with pytest.raises(CheckpointError) as refusal:
        read_model(path)
    assert str(refusal.value).startswith(f"{path}: {complaint}")


def test_a_saved_model_scores_as_before(data: ImageData, runtime: Runtime, tmp_path: Path, small_run: SmallRun) -> None:
    last = small_run.metrics[-1]
    save_model(tmp_path / "model.pt", small_run.state.model, last.sigma, SMALL)
    saved = read_model(tmp_path / "model.pt")
    assert saved.config == SMALL
    assert evaluate(saved.network, data.validation.images, saved.sigma, runtime).bpd == last.val_bpd


def test_a_run_resumes_from_its_checkpoint_without_a_notice(path: Path, data: ImageData, runtime: Runtime) -> None:
    start = resume_or_start(path, SMALL, runtime, data)
    assert (start.history, start.notice) == ([{"val_bpd": 7.0}], None)


def test_a_new_run_with_a_linear_path_starts_at_the_ppca_of_its_images(
    tmp_path: Path, few_images: ImageData, runtime: Runtime
) -> None:
    config = replace(SMALL, linear_path=True)
    start = resume_or_start(tmp_path / "absent.pt", config, runtime, few_images)
    weights = start.state.model.state_dict()
    for name, value in untrained_model(config, few_images.train.images).state_dict().items():
        assert torch.equal(weights[name], value)
    assert weights["linear.decoding"].count_nonzero() == 64 // 10


def test_a_run_without_a_usable_checkpoint_starts_over_and_reports_why(
    path: Path, data: ImageData, runtime: Runtime, tmp_path: Path
) -> None:
    assert resume_or_start(tmp_path / "absent.pt", SMALL, runtime, data).notice is None
    path.write_bytes(b"damaged")
    start = resume_or_start(path, SMALL, runtime, data)
    assert (start.state.step, start.history) == (0, [])
    assert str(start.notice).startswith(f"{path}: cannot be read") and str(start.notice).endswith("; starting over")


def test_a_checkpoint_that_is_older_than_the_skips_own_learning_rate_goes_on_as_it_began(
    few_images: ImageData, runtime: Runtime, tmp_path: Path
) -> None:
    """Such a version had one parameter group, with all weights in the order of the modules."""
    config = replace(SMALL, architecture="linear_skip", channels=(4, 48, 8), epochs=2, skip_learning_rate=1.0)
    path, state = tmp_path / "state.pt", TrainState(config, runtime)
    reports = train(state, few_images)
    next(reports)
    save_state(path, state, [])
    contents = read_tensors(path)
    assert len(contents["optimizer"]["param_groups"]) == 1
    del contents["config"]["skip_learning_rate"]
    write_tensors(path, contents)
    resumed = load_state(path, config, runtime).state
    (uninterrupted,), (metrics,) = reports, train(resumed, few_images)
    assert metrics.val_bpd == uninterrupted.val_bpd
    with pytest.raises(CheckpointError, match="other hyperparameters"):
        load_state(path, replace(config, skip_learning_rate=0.025), runtime)
