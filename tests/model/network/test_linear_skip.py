"""The linear skip past the convolutions: what an untrained network does, and that all of it is trained."""

import pytest
import torch
from torch import Tensor, nn

from model.data.images import ImageData, to_unit
from model.device import Runtime
from model.network.linear_skip import SkipDown, SkipUp
from model.network.vae import ConvVAE
from model.training.train_state import TrainState
from model.training.training_loop import train
from tests.model.conftest import SMALL


def without_convolutions(latent_dim: int, channels: tuple[int, ...] = ()) -> ConvVAE:
    """An untrained network in which the linear skip is alone."""
    torch.manual_seed(0)
    model = ConvVAE(latent_dim, channels)
    for trunk in (model.encoder.trunk, model.decoder.trunk):
        assert isinstance(trunk, SkipDown | SkipUp)
        for parameter in (*trunk.beside.parameters(), *trunk.above.parameters()):
            nn.init.zeros_(parameter)
    return model


def projected(model: ConvVAE, images: Tensor) -> Tensor:
    reconstructed: Tensor = model.decoder(model.encoder(images)[0])
    return reconstructed.detach()


@pytest.mark.parametrize("channels", [(), (4, 48)])
def test_the_linear_way_of_a_code_as_long_as_the_image_loses_nothing(channels: tuple[int, ...]) -> None:
    images = 0.25 + 0.5 * torch.rand(4, 3, 32, 32)
    assert torch.allclose(projected(without_convolutions(3072, channels), images), images, atol=1e-4)


def test_an_untrained_network_projects_images_onto_as_many_directions_as_its_code_has() -> None:
    images = 0.25 + 0.5 * torch.rand(16, 3, 32, 32)
    model = without_convolutions(768)
    once = projected(model, images)
    assert torch.allclose(projected(model, once), once, atol=1e-4), "a projection changes nothing the second time"
    kept = (once - 0.5).square().mean() / (images - 0.5).square().mean()
    assert float(kept) == pytest.approx(768 / 3072, rel=0.05)


def test_the_first_codes_have_about_unit_variance_and_little_noise(data: ImageData) -> None:
    torch.manual_seed(0)
    mean, log_variance = ConvVAE(64).encoder(to_unit(data.train.images))
    assert 0.3 < float(mean.detach().square().mean()) < 3
    assert float(log_variance.detach().exp().max()) < 0.05


def test_everything_is_trained_the_linear_way_too(data: ImageData, runtime: Runtime) -> None:
    state = TrainState(SMALL, runtime)
    before = {name: parameter.detach().clone() for name, parameter in state.model.named_parameters()}
    next(train(state, data))
    unchanged = [name for name, parameter in state.model.named_parameters() if torch.equal(parameter, before[name])]
    assert not unchanged
