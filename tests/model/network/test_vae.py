"""The architectures of the VAE: their layers, initial weights, outputs and bounds."""

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import nn

from model.config import Architecture
from model.data.images import ImageData
from model.device import Runtime
from model.network.convolution_stack import ConvolutionStack
from model.network.strided_convolution import UpConv
from model.network.vae import LOG_VARIANCE_BOUND, ConvVAE, compile_model
from model.training.train_state import TrainState
from model.training.training_loop import train
from tests.model.conftest import SMALL


def test_plain_is_the_tutorials_and_norm_free_has_no_normalisation() -> None:
    plain, norm_free = (ConvVAE(8, SMALL.channels, architecture) for architecture in ("plain", "norm_free"))
    assert plain.decoder.logistic and not norm_free.decoder.logistic
    layers = [{type(layer) for layer in model.modules()} for model in (plain, norm_free)]
    assert {nn.BatchNorm2d, nn.ReLU} <= layers[0] and nn.SiLU not in layers[0]
    assert nn.SiLU in layers[1] and not layers[1] & {nn.BatchNorm2d, nn.ReLU}


def test_untrained_norm_free_layers_keep_the_size_of_their_input() -> None:
    torch.manual_seed(0)
    model = ConvVAE(128, architecture="norm_free")
    x = torch.randn(64, 3, 32, 32)
    # At the borders a kernel covers fewer than its sixteen pixels: each layer loses some of the size.
    for trunk, image in ((model.encoder.trunk, x), (model.decoder.trunk, torch.randn(64, 256, 2, 2))):
        assert isinstance(trunk, ConvolutionStack)
        for layer in trunk:
            image = layer(image)
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                assert 0.3 < float(image.detach().std()) < 2.5


def test_a_clamped_pixel_still_moves_to_its_target() -> None:
    model = ConvVAE(8, SMALL.channels)
    to_image = model.decoder.trunk.output_layers[-1]
    assert isinstance(to_image, UpConv) and to_image.bias is not None
    with torch.no_grad():
        to_image.bias.fill_(20.0)
    images = model.decoder(torch.randn(4, 8))
    assert float(images.detach().max()) == 1.0
    (images - 0.5).square().sum().backward()
    gradient = to_image.bias.grad
    assert gradient is not None and (gradient > 0).all(), "without a gradient the pixel would stay outside"


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_binary_cross_entropy_has_a_logistic_output(
    architecture: Architecture, data: ImageData, runtime: Runtime
) -> None:
    config = replace(SMALL, epochs=1, architecture=architecture, reconstruction="bce")
    assert ConvVAE.from_config(config).decoder.logistic
    (metrics,) = train(TrainState(config, runtime), data)
    assert metrics.skipped_updates == 0


def test_log_variance_is_softly_bounded() -> None:
    model = ConvVAE(6, SMALL.channels, "plain")
    with torch.no_grad():
        model.encoder.log_variance.bias.fill_(1e6)
    _, log_variance = model.encoder(torch.rand(2, 3, 32, 32))
    assert float(log_variance.detach().max()) <= LOG_VARIANCE_BOUND


@pytest.mark.parametrize("latent_dim", [1, 3, 200])
@pytest.mark.parametrize("channels", [(), (4, 6), (4, 6, 8, 10), (2, 3, 4, 5, 6)])
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_any_latent_dimension_and_number_of_stages_gives_images(
    latent_dim: int, channels: tuple[int, ...], architecture: Architecture
) -> None:
    model = ConvVAE(latent_dim, channels, architecture).eval()
    reconstruction, mean, log_variance = model(torch.rand(2, 3, 32, 32), torch.randn(2, latent_dim))
    assert reconstruction.shape == (2, 3, 32, 32)
    assert mean.shape == log_variance.shape == (2, latent_dim)
    assert 0 <= float(reconstruction.detach().min()) <= float(reconstruction.detach().max()) <= 1


def test_both_trunks_are_compiled_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **_: compiled.append(self))
    model = ConvVAE(3, (2, 3, 4, 5))
    compile_model(model)
    assert compiled == [model.encoder.trunk, model.decoder.trunk]
