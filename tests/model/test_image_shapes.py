"""Images of other sizes and of one channel: network, score and files follow the shape."""

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from model.config import IMAGE_SHAPE, Architecture, ImageShape, TrainConfig
from model.data.images import ImageData, LabelledImages
from model.data.splits import labelled_images, with_validation_split
from model.device import Runtime, seeded_generator
from model.network.feature_maps import margin_of
from model.network.vae import ConvVAE
from model.scoring import ppca
from model.scoring.elbo import DEQUANTIZATION_VARIANCE
from model.scoring.evaluation import NOISE_SEED, calibrate_sigma, evaluate
from model.trained_model import load_model
from model.training.initialization import untrained_model
from model.training.model_file import save_model
from model.training.pca_start import start_from_pca
from model.training.tensor_file import read_tensors, write_tensors
from model.training.train_state import TrainState
from model.training.training_loop import train

GREY_28: ImageShape = (1, 28, 28)
SMALL = TrainConfig(latent_dim=6, batch_size=64, epochs=1, channels=(8, 16, 8), image_shape=GREY_28)


@pytest.fixture(scope="module")
def digits() -> ImageData:
    """600 digits of scikit-learn, 8x8 pixels, as grey images of 28x28: each pixel a square of 3x3 within a border."""
    pixels, labels = load_digits(return_X_y=True)
    small = np.rint(pixels[:600].reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
    large = np.pad(small.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))[..., None]
    images = labelled_images(large, labels[:600])
    testing = LabelledImages(images.images[:10], images.labels[:10])
    return with_validation_split("folder", tuple("0123456789"), images, testing)


@pytest.mark.parametrize("shape", [GREY_28, (1, 32, 32), (3, 28, 28), (3, 64, 64)])
@pytest.mark.parametrize("channels", [(4, 6), (4, 6, 8), (2, 3, 4, 5, 6)])
@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("linear_path", [False, True])
def test_reconstructions_have_the_shape_of_the_images(
    shape: ImageShape, channels: tuple[int, ...], architecture: Architecture, linear_path: bool
) -> None:
    model = ConvVAE(5, channels, architecture, linear_path=linear_path, image_shape=shape).eval()
    assert model(torch.rand(2, *shape), torch.randn(2, 5))[0].shape == (2, *shape)


@pytest.mark.parametrize(("size", "n_stages", "margin"), [(28, 2, 0), (28, 3, 4), (28, 5, 4), (32, 5, 0), (64, 5, 0)])
def test_a_margin_makes_every_halving_even(size: int, n_stages: int, margin: int) -> None:
    assert margin_of(size, n_stages) == margin
    assert (size + margin) % 2**n_stages == 0


def test_the_score_is_the_density_of_the_images_own_pixels(digits: ImageData, runtime: Runtime) -> None:
    model, images, sigma = untrained_model(SMALL), digits.validation.images, 0.3
    assert model.encoder.margin == 4
    result = evaluate(model, images, sigma, runtime)
    assert result.bpd == pytest.approx(_score(model, images, sigma), abs=1e-5)
    assert result.bpd == pytest.approx(np.mean(result.bpd_per_image), abs=1e-5)


def _score(model: ConvVAE, images: Tensor, sigma: float) -> float:
    """Compute the score from torch's densities, with the noise of `evaluate`."""
    noise = torch.randn(len(images), 6, generator=seeded_generator(NOISE_SEED))
    x = images.double() / 255
    with torch.inference_mode():
        decoded, mean, log_variance = model.eval()(x.float(), noise)
    posterior = torch.distributions.Normal(mean.double(), (log_variance.double() / 2).exp())
    rate = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    log_densities = torch.distributions.Normal(decoded.double(), sigma).log_prob(x).sum((1, 2, 3)).mean()
    dequantization = 784 * DEQUANTIZATION_VARIANCE / (2 * sigma**2)
    return float(rate - log_densities + dequantization) / 784 / math.log(2) + math.log2(255)


def test_a_training_on_small_grey_images_begins_at_the_score_of_ppca(digits: ImageData, runtime: Runtime) -> None:
    config = replace(SMALL, channels=(16, 16, 8))
    state = TrainState(config, runtime, untrained_model(config, digits.train.images))
    assert start_from_pca(state, digits.train.images)
    sigma = calibrate_sigma(state.model, digits.train.images, runtime)
    score = evaluate(state.model, digits.validation.images, sigma, runtime).bpd
    linear = ppca.score(ppca.fit(digits.train.images), digits.validation.images, [6])[6]
    # Clamped to [0, 1], which digits reach.
    assert linear - 0.1 < score < linear + 0.01


def test_training_scores_and_errors_are_per_value_of_the_image(digits: ImageData, runtime: Runtime) -> None:
    (metrics,) = train(TrainState(SMALL, runtime), digits)
    expected = 0.5 * math.log2(2 * math.pi * math.e * metrics.train_mse) + math.log2(255)
    rate = metrics.train_rate_nats / 784 / math.log(2)
    assert metrics.train_bpd == pytest.approx(expected + rate, abs=0.01)


def test_linear_models_leave_a_direction_of_a_small_image_to_the_noise() -> None:
    assert ppca.n_directions(3072, 50_000, 784) == 783


def test_a_saved_model_knows_its_images(tmp_path: Path, digits: ImageData) -> None:
    path = tmp_path / "model.pt"
    save_model(path, ConvVAE.from_config(SMALL).eval(), 0.3, SMALL)
    trained, pixels = load_model(path, "cpu"), digits.test.pixels
    assert pixels.shape == (10, 28, 28, 1)
    assert trained.reconstruct(pixels).shape == trained.sample(10).shape == pixels.shape
    with pytest.raises(ValueError, match=r"shape \(N, 28, 28, 1\).*but got uint8 of shape \(2, 32, 32, 3\)"):
        trained.score(np.zeros((2, 32, 32, 3), np.uint8))


def test_a_model_of_an_earlier_version_is_one_of_cifar10s_images(tmp_path: Path) -> None:
    path, config = tmp_path / "model.pt", replace(SMALL, image_shape=IMAGE_SHAPE)
    save_model(path, ConvVAE.from_config(config).eval(), 0.3, config)
    contents = read_tensors(path)
    del contents["config"]["image_shape"]
    write_tensors(path, contents)
    assert load_model(path, "cpu").config == config
    assert asdict(config)["image_shape"] == (3, 32, 32)
