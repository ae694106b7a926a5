"""Linear path: probabilistic PCA at the start, not trained, and saved with the model."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from model.config import DIMENSIONS, Architecture
from model.data.images import ImageData, to_unit
from model.device import Runtime
from model.scoring import ppca
from model.scoring.evaluation import calibrate_sigma, evaluate
from model.training.checkpoint import load_state, save_state
from model.training.initialization import untrained_model
from model.training.model_file import read_model, save_model
from model.training.train_state import TrainState
from model.training.training_loop import train
from tests.model.conftest import SMALL

WITHOUT = replace(SMALL, epochs=1, batch_size=50, learning_rate=1e-3)
LINEAR = replace(WITHOUT, linear_path=True)


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("latent_dim", [1, 8])
def test_with_a_linear_path_training_starts_at_the_score_of_ppca(
    architecture: Architecture, latent_dim: int, data: ImageData, runtime: Runtime
) -> None:
    config = replace(LINEAR, architecture=architecture, latent_dim=latent_dim)
    model = untrained_model(config, data.train.images)
    sigma = calibrate_sigma(model, data.train.images, runtime)
    score = evaluate(model, data.validation.images, sigma, runtime)
    baseline = ppca.rate_distortion(ppca.fit(data.train.images), data.validation.images, [latent_dim])[latent_dim]
    # pPCA's rate counts the dequantization noise in x.
    assert score.rate_nats == pytest.approx(baseline.rate_nats, rel=5e-3)
    # The clamp to [0, 1] makes the model a little better; its sigma is calibrated, pPCA's is not.
    assert baseline.bpd - 0.05 < score.bpd < baseline.bpd + 0.01


def test_the_linear_posterior_is_the_exact_one(data: ImageData) -> None:
    """Compare with Tipping & Bishop's section 3.1 in matrices: M = W'W + noise, mean M^-1 W'(x - mu)."""
    model, components = untrained_model(LINEAR, data.train.images), ppca.fit(data.train.images)
    noise, variances = components.noise_variance(8), components.variances[:8]
    weights = components.eigenvectors[:, :8] @ (variances - noise).sqrt().diag()
    inverse = torch.linalg.inv(weights.T @ weights + noise * torch.eye(8, dtype=torch.float64))
    x = to_unit(data.validation.images)
    mean, log_variance = model.encoder(x)
    expected = (x.flatten(1).double() - components.mean) @ weights @ inverse
    assert torch.allclose(mean.double(), expected, atol=1e-4)
    assert torch.allclose(log_variance.exp().double(), (noise * inverse).diag().expand(len(x), 8), rtol=1e-3)


def test_only_the_convolutions_are_trained_and_the_path_is_saved_with_them(
    data: ImageData, runtime: Runtime, tmp_path: Path
) -> None:
    state = TrainState(LINEAR, runtime, untrained_model(LINEAR, data.train.images))
    linear = state.model.linear
    assert linear is not None
    initial_directions, initial_weights = linear.directions.clone(), state.weights.detach().clone()
    (metrics,) = train(state, data)
    assert torch.equal(linear.directions, initial_directions)
    assert not torch.equal(state.weights, initial_weights)
    for layer in state.model.decoder.trunk.output_layers:
        assert any((parameter != 0).any() for parameter in layer.parameters())
    save_model(tmp_path / "model.pt", state.model, metrics.sigma, LINEAR)
    save_state(tmp_path / "state.pt", state, [])
    read = read_model(tmp_path / "model.pt").network, load_state(tmp_path / "state.pt", LINEAR, runtime).state.model
    for model in read:
        assert evaluate(model, data.validation.images, metrics.sigma, runtime).bpd == metrics.val_bpd


@pytest.mark.parametrize("latent_dim", [30, DIMENSIONS])
def test_a_linear_path_has_no_directions_that_the_images_do_not_determine(
    latent_dim: int, data: ImageData, runtime: Runtime
) -> None:
    few = data.train.images[:50]
    with_path = untrained_model(replace(LINEAR, latent_dim=latent_dim), few)
    assert with_path.linear is not None
    assert int((with_path.linear.decoding > 0).sum()) == 50 // 10
    without = untrained_model(replace(WITHOUT, latent_dim=latent_dim))
    scores = [
        evaluate(model, data.validation.images, calibrate_sigma(model, few, runtime), runtime).bpd
        for model in (with_path, without)
    ]
    assert scores[0] < scores[1]
