"""Python API of a trained model: equal to the functions that it is made of, with faults named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import model
from model import TrainedModel
from model.data.images import ImageData, as_pixels
from model.device import Runtime, seeded_generator
from model.scoring import evaluation
from model.training.model_file import save_model
from tests.model.conftest import SMALL, SmallRun

N_IMAGES = 12


@pytest.fixture(scope="module")
def path(small_run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of the trained SMALL."""
    path = tmp_path_factory.mktemp("run") / "model.pt"
    save_model(path, small_run.state.model, small_run.metrics[-1].sigma, SMALL)
    return path


@pytest.fixture(scope="module")
def trained(path: Path) -> TrainedModel:
    return model.load_model(str(path), device="cpu")


@pytest.fixture(scope="module")
def images(data: ImageData) -> NDArray[np.uint8]:
    return data.validation.pixels[:N_IMAGES]


def test_a_loaded_model_has_the_configuration_sigma_and_weights_that_were_saved(
    trained: TrainedModel, small_run: SmallRun, runtime: Runtime
) -> None:
    assert (trained.config, trained.sigma, trained.runtime) == (SMALL, small_run.metrics[-1].sigma, runtime)
    assert not trained.network.training
    for name, value in small_run.state.model.state_dict().items():
        assert torch.equal(trained.network.state_dict()[name], value)


def test_the_score_is_that_of_the_run(trained: TrainedModel, data: ImageData, small_run: SmallRun) -> None:
    result, last = trained.score(data.validation.pixels), small_run.metrics[-1]
    assert result.n_images == len(data.validation)
    scores = result.bpd, result.rate_nats, result.distortion_nats, result.mse
    assert scores == (last.val_bpd, last.val_rate_nats, last.val_distortion_nats, last.val_mse)


def test_codes_images_and_samples_are_those_of_the_lower_functions(
    trained: TrainedModel, images: NDArray[np.uint8], data: ImageData, small_run: SmallRun, runtime: Runtime
) -> None:
    network, tensor = small_run.state.model, data.validation.images[:N_IMAGES]
    means, log_variances = evaluation.encode(network, tensor, runtime)
    for array, expected in zip(trained.encode(images), (means, log_variances), strict=True):
        assert array.dtype == np.float32 and np.array_equal(array, expected.numpy())
    assert np.array_equal(trained.decode(means.numpy()), as_pixels(evaluation.decode(network, means, runtime)))
    reconstructions = as_pixels(evaluation.reconstruct(network, tensor, runtime))
    assert np.array_equal(trained.reconstruct(images), reconstructions)
    draws = torch.randn(5, SMALL.latent_dim, generator=seeded_generator(3))
    assert np.array_equal(trained.sample(5, seed=3), as_pixels(evaluation.decode(network, draws, runtime)))


def test_images_are_uint8_arrays_in_the_order_of_pixels(trained: TrainedModel, images: NDArray[np.uint8]) -> None:
    for pictures in (trained.sample(N_IMAGES), trained.reconstruct(images), trained.decode(trained.encode(images)[0])):
        assert pictures.dtype == np.uint8 and pictures.shape == images.shape


def test_samples_follow_from_the_seed_alone(trained: TrainedModel) -> None:
    first = trained.sample(4)
    torch.manual_seed(99)
    assert np.array_equal(trained.sample(4, seed=0), first)
    assert not np.array_equal(trained.sample(4, seed=1), first)


def test_views_and_other_float_types_are_taken(trained: TrainedModel, images: NDArray[np.uint8]) -> None:
    reversed_view = images[::-1]
    reversed_view.flags.writeable = False
    codes, _ = trained.encode(reversed_view)
    assert np.array_equal(codes, trained.encode(reversed_view.copy())[0])
    assert np.array_equal(trained.decode(codes[::-1].astype(np.float64)), trained.decode(codes[::-1].copy()))


Call = Callable[[TrainedModel, Any], object]


@pytest.mark.parametrize("call", [TrainedModel.encode, TrainedModel.reconstruct, TrainedModel.score])
@pytest.mark.parametrize(
    ("faulty", "got"),
    [
        (np.zeros((2, 3, 32, 32), np.uint8), "uint8 of shape (2, 3, 32, 32)"),
        (np.zeros((32, 32, 3), np.uint8), "uint8 of shape (32, 32, 3)"),
        (np.zeros((), np.uint8), "uint8 of shape ()"),
        (np.zeros((0, 32, 32, 3), np.uint8), "uint8 of shape (0, 32, 32, 3)"),
        (np.zeros((2, 32, 32, 3)), "float64 of shape (2, 32, 32, 3)"),
        (torch.zeros(2, 32, 32, 3, dtype=torch.uint8), "Tensor"),
        ([], "list"),
    ],
)
def test_faulty_images_are_refused(trained: TrainedModel, call: Call, faulty: object, got: str) -> None:
    with pytest.raises(ValueError) as refusal:
        call(trained, faulty)
    expected = "images: must be a uint8 array of shape (N, 32, 32, 3), N at least 1"
    assert str(refusal.value) == f"{expected}, but got {got}"


@pytest.mark.parametrize(
    ("faulty", "got"),
    [
        (np.zeros((2, 9), np.float32), "float32 of shape (2, 9)"),
        (np.zeros(8, np.float32), "float32 of shape (8,)"),
        (np.zeros((0, 8), np.float32), "float32 of shape (0, 8)"),
        (np.zeros((2, 8), np.int64), "int64 of shape (2, 8)"),
        (np.full((2, 8), np.nan, np.float32), "values that are not finite"),
        (np.full((2, 8), 1e300), "values that are not finite"),
        (torch.zeros(2, 8), "Tensor"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_faulty_codes_are_refused(trained: TrainedModel, faulty: Any, got: str) -> None:
    with pytest.raises(ValueError) as refusal:
        trained.decode(faulty)
    expected = "codes: must be an array of finite floats of shape (N, 8), N at least 1"
    assert str(refusal.value) == f"{expected}, but got {got}"


def test_samples_of_no_images_or_a_negative_seed_are_refused(trained: TrainedModel) -> None:
    with pytest.raises(ValueError, match=r"^n_images: must be at least 1, got 0$"):
        trained.sample(0)
    with pytest.raises(ValueError, match=r"^seed: must be at least 0, got -1$"):
        trained.sample(1, seed=-1)


def test_a_missing_file_and_an_unknown_device_are_user_errors(path: Path, tmp_path: Path) -> None:
    with pytest.raises(model.UserError, match=r"model\.pt: does not exist$"):
        model.load_model(tmp_path / "model.pt", "cpu")
    with pytest.raises(model.UserError, match=r"^device: must be auto, cpu, cuda, cuda:N or mps, got 'gpu'$"):
        model.load_model(path, device="gpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_model_on_a_gpu_reconstructs_as_on_a_cpu(
    path: Path, trained: TrainedModel, images: NDArray[np.uint8]
) -> None:
    on_gpu = model.load_model(path)
    assert next(on_gpu.network.parameters()).device.type == "cuda"
    assert on_gpu.score(images).bpd == pytest.approx(trained.score(images).bpd, abs=0.05)
    difference = on_gpu.reconstruct(images).astype(int) - trained.reconstruct(images)
    assert np.abs(difference).max() <= 2
