"""The two architectures and the linear path beside them, before they are trained and as they are saved."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from hpo.config.schema import StudyConfig
from hpo.storage.run_record import RunRecord
from model.config import DIMENSIONS, Architecture, TrainConfig
from model.data.images import ImageData, to_unit
from model.device import Runtime
from model.network.vae import ConvVAE
from model.scoring import ppca
from model.scoring.evaluation import calibrate_sigma, evaluate
from model.training.checkpoint import load_model, load_state, save_model, save_state
from model.training.initialization import untrained_model
from model.training.packed_tensors import pack
from model.training.training_loop import TrainState, train

SMALL = TrainConfig(latent_dim=8, batch_size=50, epochs=1, channels=(8, 8, 16, 16), learning_rate=1e-3)
LINEAR = replace(SMALL, linear_path=True)


def test_plain_is_the_tutorials_and_norm_free_has_no_normalisation() -> None:
    plain, norm_free = (ConvVAE(8, SMALL.channels, architecture) for architecture in ("plain", "norm_free"))
    assert plain.decoder.logistic and not norm_free.decoder.logistic
    layers = [{type(layer) for layer in model.modules()} for model in (plain, norm_free)]
    assert {nn.BatchNorm2d, nn.ReLU} <= layers[0] and nn.SiLU not in layers[0]
    assert nn.SiLU in layers[1] and not layers[1] & {nn.BatchNorm2d, nn.ReLU}


def test_untrained_norm_free_layers_keep_the_size_of_what_passes_through() -> None:
    torch.manual_seed(0)
    model = ConvVAE(128)
    x = torch.randn(64, 3, 32, 32)
    # At the borders a kernel sees less than its sixteen pixels: some of the size is lost at each layer.
    for trunk, image in ((model.encoder.trunk, x), (model.decoder.trunk, torch.randn(64, 256, 2, 2))):
        for layer in trunk:
            image = layer(image)
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                assert 0.3 < float(image.detach().std()) < 2.5


def test_what_is_clamped_is_still_drawn_to_its_target() -> None:
    model = ConvVAE(8, SMALL.channels)
    with torch.no_grad():
        model.decoder.trunk[-1].bias.fill_(3.0)  # type: ignore[operator]
    images = model.decoder(torch.randn(4, 8))
    assert float(images.detach().max()) == 1.0
    (images - 0.5).square().sum().backward()
    bias = model.decoder.trunk[-1].bias
    assert isinstance(bias, nn.Parameter) and bias.grad is not None
    assert (bias.grad > 0).all(), "or it would never come back"


@pytest.mark.parametrize("architecture", ["plain", "norm_free"])
def test_binary_cross_entropy_has_a_logistic_output(
    architecture: Architecture, data: ImageData, runtime: Runtime
) -> None:
    config = replace(SMALL, architecture=architecture, reconstruction="bce")
    assert ConvVAE.of(config).decoder.logistic
    (metrics,) = train(TrainState(config, runtime), data)
    assert metrics.skipped_updates == 0


@pytest.mark.parametrize("architecture", ["plain", "norm_free"])
@pytest.mark.parametrize("latent_dim", [1, 8])
def test_with_a_linear_path_training_begins_at_the_score_of_ppca(
    architecture: Architecture, latent_dim: int, data: ImageData, runtime: Runtime
) -> None:
    config = replace(LINEAR, architecture=architecture, latent_dim=latent_dim)
    model = untrained_model(config, data.train.images)
    sigma = calibrate_sigma(model, data.train.images, runtime)
    ours = evaluate(model, data.validation.images, sigma, runtime)
    theirs = ppca.rate_distortion(ppca.fit(data.train.images), data.validation.images, [latent_dim])[latent_dim]
    # Its rate counts the dequantization noise in x.
    assert ours.rate_nats == pytest.approx(theirs.rate_nats, rel=5e-3)
    # Clamping to [0, 1] makes it a little better; sigma is calibrated, not pPCA's.
    assert theirs.bpd - 0.05 < ours.bpd < theirs.bpd + 0.01


def test_the_linear_posterior_is_the_exact_one(data: ImageData) -> None:
    """Compared with Tipping & Bishop's section 3.1 in matrices: M = W'W + noise, mean M^-1 W'(x - mu)."""
    model, components = untrained_model(LINEAR, data.train.images), ppca.fit(data.train.images)
    noise, variances = components.noise_variance(8), components.variances[:8]
    weights = components.eigenvectors[:, :8] @ (variances - noise).sqrt().diag()
    inverse = torch.linalg.inv(weights.T @ weights + noise * torch.eye(8, dtype=torch.float64))
    x = to_unit(data.validation.images)
    mean, log_variance = model.encoder(x)
    expected = (x.flatten(1).double() - components.mean) @ weights @ inverse
    assert torch.allclose(mean.double(), expected, atol=1e-4)
    assert torch.allclose(log_variance.exp().double(), (noise * inverse).diag().expand(len(x), 8), rtol=1e-3)


def test_the_linear_path_is_not_trained_and_the_convolutions_beside_it_are(data: ImageData, runtime: Runtime) -> None:
    state = TrainState(LINEAR, runtime, untrained_model(LINEAR, data.train.images))
    linear = state.model.linear
    assert linear is not None
    before = linear.directions.clone(), state.weights.detach().clone()
    list(train(state, data))
    assert torch.equal(linear.directions, before[0])
    assert not torch.equal(state.weights, before[1])
    assert (state.model.decoder.trunk[-1].weight != 0).any()  # type: ignore[union-attr]


def test_a_linear_path_is_saved_and_read_with_its_model(data: ImageData, runtime: Runtime, tmp_path: Path) -> None:
    state = TrainState(LINEAR, runtime, untrained_model(LINEAR, data.train.images))
    (metrics,) = train(state, data)
    save_model(tmp_path / "model.pt", state.model, metrics.sigma, LINEAR)
    model, sigma, _ = load_model(tmp_path / "model.pt")
    assert evaluate(model, data.validation.images, sigma, runtime).bpd == metrics.val_bpd
    save_state(tmp_path / "state.pt", state, [])
    again, _ = load_state(tmp_path / "state.pt", LINEAR, runtime)
    assert evaluate(again.model, data.validation.images, sigma, runtime).bpd == metrics.val_bpd


@pytest.mark.parametrize("latent_dim", [30, DIMENSIONS])
def test_a_linear_path_has_no_directions_that_the_images_do_not_determine(
    latent_dim: int, data: ImageData, runtime: Runtime
) -> None:
    few = data.train.images[:50]
    model = untrained_model(replace(LINEAR, latent_dim=latent_dim), few)
    assert model.linear is not None
    assert int((model.linear.decoding > 0).sum()) == 50 // 10
    sigma = calibrate_sigma(model, few, runtime)
    without = untrained_model(replace(SMALL, latent_dim=latent_dim))
    assert (
        evaluate(model, data.validation.images, sigma, runtime).bpd
        < evaluate(without, data.validation.images, calibrate_sigma(without, few, runtime), runtime).bpd
    )


def test_a_model_without_statistics_is_packed_on_its_own_device() -> None:
    """On a device other than the CPU: the meta device tells without one."""
    assert pack([], torch.device("meta")).device.type == "meta"
    assert pack([torch.ones(3, device="meta")], "meta").shape == (3,)


def test_a_file_from_before_there_was_a_choice_is_plain() -> None:
    values = asdict(SMALL)
    del values["architecture"], values["linear_path"], values["adam_beta2"]
    assert TrainConfig.from_dict(values).architecture == "plain"
    assert TrainConfig.from_dict(values).adam_beta2 == 0.999
    record = RunRecord.model_validate(
        {
            "study": None,
            "trial": None,
            "data": {"source": "sample", "root": None, "digest": "0"},
            "precision": "float32",
            "compiled": False,
            "reconstruction_interval": 1,
            "fps": 2.0,
            "training": values,
        }
    )
    assert record.training.architecture == "plain"


def test_what_a_study_says_of_its_model_reaches_its_trials() -> None:
    from hpo.config.search_space import trial_config

    study = StudyConfig.model_validate(
        {
            "name": "s",
            "model": {"architecture": "plain", "linear_path": True},
            "hyperparameters": {"beta": {"low": 0.5, "high": 2.0}},
            "budget": {"trials": 1},
        }
    )
    config = trial_config(study, {"beta": 1.0}, 0)
    assert (config.architecture, config.linear_path) == ("plain", True)
