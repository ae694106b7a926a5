"""First step of linear_skip's training: probabilistic PCA (pPCA)."""

import math
from dataclasses import replace

import pytest
import torch

from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from model.training.initialization import untrained_model
from model.training.pca_start import set_to_principal_components, start_from_pca
from model.training.train_state import TrainState
from model.training.training_loop import train

CONFIG = TrainConfig(latent_dim=4, channels=(4, 48, 8), batch_size=32, epochs=1)


@pytest.mark.parametrize("latent_dim", [4, 24])
def test_the_model_is_ppca(data: ImageData, latent_dim: int) -> None:
    config = replace(CONFIG, latent_dim=latent_dim)
    model = untrained_model(config)
    set_to_principal_components(model, data.train.images, alone=True)
    linear = untrained_model(
        replace(config, architecture="norm_free", channels=(2, 2), linear_path=True), data.train.images
    )
    x, noise = data.validation.images[:8].float() / 255, torch.randn(8, latent_dim)
    # Directions may differ in sign, and those of equal variance in more.
    ours, theirs = (network(x, noise * 0)[0] for network in (model, linear))
    assert torch.allclose(ours, theirs, atol=2e-3)
    # Of images with no more than twelve directions some variances are beyond the bound.
    own, expected = (network.encoder(x)[1][0].sort().values.clamp(min=-9.9) for network in (model, linear))
    assert torch.allclose(own, expected, atol=0.05)


def test_more_dimensions_than_directions_keep_their_random_ones(few_images: ImageData) -> None:
    model, before = untrained_model(CONFIG), untrained_model(CONFIG)
    images = few_images.train.images[:20]
    set_to_principal_components(model, images, alone=False)
    changed = (model.encoder.mean.weight != before.encoder.mean.weight).any(1)
    assert changed.tolist() == [True, True, False, False]
    assert (model.decoder.project.weight != before.decoder.project.weight).any(0).tolist() == changed.tolist()


def test_beside_other_layers_at_one_rate_the_convolutions_keep_their_random_weights(few_images: ImageData) -> None:
    model, before = untrained_model(CONFIG), untrained_model(CONFIG)
    set_to_principal_components(model, few_images.train.images, alone=False)
    kept = {name: parameter for name, parameter in model.named_parameters() if "beside" in name or "above" in name}
    assert kept and all(torch.equal(parameter, before.get_parameter(name)) for name, parameter in kept.items())


def test_alone_dimensions_beyond_the_directions_have_no_effect_on_the_image(few_images: ImageData) -> None:
    model = untrained_model(CONFIG)
    set_to_principal_components(model, few_images.train.images[:20], alone=True)
    z = torch.randn(8, 4)
    shorter = torch.cat([z[:, :2], torch.zeros(8, 2)], 1)
    assert torch.allclose(model.decoder(z), model.decoder(shorter), atol=1e-6)
    _, log_variance = model.encoder(few_images.train.images[:8].float() / 255)
    assert (log_variance[:, 2:] == 0).all() and (log_variance[:, :2] != 0).all()


@pytest.mark.parametrize(
    ("change", "is_set"),
    [
        ({}, True),
        ({"skip_learning_rate": 1.0}, True),
        ({"pca_start": False}, False),
        ({"linear_path": True}, False),
        ({"architecture": "norm_free", "channels": (2, 2, 2, 2)}, False),
    ],
)
def test_training_begins_with_it_once_if_the_network_is_linear_skip(
    change: dict[str, object], is_set: bool, few_images: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, bool]] = []
    monkeypatch.setattr(
        "model.training.pca_start.set_to_principal_components",
        lambda model, images, alone: calls.append((len(images), alone)),
    )
    config = replace(CONFIG, report_every=0.5, **change)  # type: ignore[arg-type]
    state = TrainState(config, runtime, untrained_model(config, few_images.train.images))
    reports = train(state, few_images)
    next(reports)
    assert calls == ([(64, config.skip_learning_rate < 1)] if is_set else [])
    list(train(state, few_images))
    assert len(calls) == int(is_set)


def test_starting_from_pca_before_the_training_changes_nothing(few_images: ImageData, runtime: Runtime) -> None:
    states = [TrainState(CONFIG, runtime, untrained_model(CONFIG)) for _ in range(2)]
    assert start_from_pca(states[0], few_images.train.images)
    assert not start_from_pca(states[0], few_images.train.images)
    first, second = ([metrics.val_bpd for metrics in train(state, few_images)] for state in states)
    assert first == second and torch.equal(states[0].weights, states[1].weights)
    assert not start_from_pca(states[1], few_images.train.images)


@pytest.mark.parametrize("n_images", [9, 40])
def test_images_that_are_all_alike_or_fewer_than_ten_are_trained_on(
    n_images: int, few_images: ImageData, runtime: Runtime
) -> None:
    alike = replace(few_images.train, images=few_images.train.images[:1].repeat(n_images, 1, 1, 1))
    data = replace(few_images, train=alike, validation=alike)
    (metrics,) = train(TrainState(replace(CONFIG, batch_size=4), runtime), data)
    assert math.isfinite(metrics.val_bpd)


def test_it_is_the_same_each_time_and_leaves_other_random_numbers_alone(few_images: ImageData) -> None:
    first, second = untrained_model(CONFIG), untrained_model(CONFIG)
    torch.manual_seed(5)
    set_to_principal_components(first, few_images.train.images, alone=True)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    set_to_principal_components(second, few_images.train.images.clone(), alone=True)
    assert torch.equal(first.encoder.mean.weight, second.encoder.mean.weight)
